import type { Context, MiddlewareHandler } from "hono";
import { html, raw } from "hono/html";
import { isLoopback } from "../../domain/http-url.ts";
import { type Text, text } from "../../domain/text.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { languageIn } from "../http/messages.ts";
import { PAGE_HEADERS } from "./headers.ts";

const ABOUT = text(
  "This service keeps artifact repositories in step. Programs use its API; these pages are for people.",
  "本服务使制品仓库保持同步。程序通过 API 使用它；以下页面供人阅读。",
);
const LOGIN = text(
  "The API needs the admin's name and password: the service printed at its start where they are.",
  "API 需要管理员的用户名和密码：服务启动时已显示它们的位置。",
);

type Entry = { href: string; name: Text; what: Text };

/** Addresses are relative, because a proxy may serve the instance below a path. */
const ENTRIES: Entry[] = [
  {
    href: "docs",
    name: text("API documentation", "API 文档"),
    what: text("Every endpoint, with examples", "所有接口及示例"),
  },
  {
    href: "openapi.json",
    name: text("OpenAPI 3.1", "OpenAPI 3.1"),
    what: text("The same, as a file for programs", "同一内容，供程序读取的文件"),
  },
  {
    href: "health/ready",
    name: text("Health", "健康状态"),
    what: text(
      "Whether everything works, and what does not",
      "各部分是否正常工作，以及哪些没有",
    ),
  },
  {
    href: "replication/api/system/problems",
    name: text("Problems", "问题"),
    what: text(
      "What is wrong now, and what to do (with the login)",
      "当前的问题及处理办法（需要登录）",
    ),
  },
];

const TEMPORAL = text("Temporal's UI", "Temporal 界面");
const WATCH = text("Every run, with what it does now", "每次运行及其当前步骤");
const LOCAL_ONLY = text(
  "Every run, with what it does now; this address works on the machine of the service only",
  "每次运行及其当前步骤；此地址仅在服务所在的机器上有效",
);
const ELSEWHERE = text(
  "This instance uses a Temporal server that it did not start. Every run is shown in the UI of that server.",
  "本实例使用的 Temporal 服务器不是由它启动的。每次运行都显示在该服务器的界面中。",
);

/**
 * Answers a browser at `/` with a page that leads to what people can read, without a login. Other clients get what
 * any unknown path answers.
 */
export function startPage({
  temporalUi,
}: Pick<ApiDeps, "temporalUi">): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (!isBrowser(c)) return next();
    const language = languageIn(c);
    return c.html(page(language, temporalUi()), 200, {
      ...PAGE_HEADERS,
      "content-language": language,
      vary: "Accept, Accept-Language",
      "cache-control": "no-cache",
    });
  };
}

const isBrowser = ({ req }: Context<Env>): boolean =>
  (req.method === "GET" || req.method === "HEAD") &&
  /(?:^|,)\s*text\/html\b/i.test(req.header("accept") ?? "");

function temporalEntry(href: string): Entry {
  const isLocal = isLoopback(new URL(href));
  return { href, name: TEMPORAL, what: isLocal ? LOCAL_ONLY : WATCH };
}

function page(language: keyof Text, temporalUi: string | null | undefined): string {
  const entries = temporalUi ? [...ENTRIES, temporalEntry(temporalUi)] : ENTRIES;
  return html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Artifact replication</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>Artifact replication</h1>
          <p>${ABOUT[language]}</p>
          <ul>
            ${entries.map(
              ({ href, name, what }) =>
                html`<li>
                  <a href="${href}"
                    ><b>${name[language]}</b><span>${what[language]}</span></a
                  >
                </li>`,
            )}
          </ul>
          ${temporalUi === null ? html`<p>${ELSEWHERE[language]}</p>` : ""}
          <p>${LOGIN[language]}</p>
        </main>
      </body>
    </html>`.toString();
}

const STYLE = `
:root { color-scheme: light dark }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #222; background: #f6f6f6 }
main { max-width: 42rem; margin: 0 auto; padding: 2rem 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; margin: 0 0 .5rem }
ul { list-style: none; padding: 0; margin: 1.5rem 0 }
li { margin: 0 0 .5rem }
a {
  display: block; padding: .75rem 1rem; border: 1px solid #8886; border-radius: .5rem; color: inherit;
  text-decoration: none; background: #fff
}
a:hover, a:focus-visible { border-color: #2563eb; outline: 1px solid #2563eb }
b { display: block; color: #1d4ed8 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } a { background: #222 } b { color: #8ab4f8 }
}
`;
