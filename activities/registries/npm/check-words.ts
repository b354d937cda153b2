import { text } from "../../../domain/text.ts";
import { no, unknown, yes } from "../check.ts";
import type { Answer } from "../../../domain/check.ts";

export const isRegistry = (host: string): Answer =>
  yes(text(`${host} is an npm registry`, `${host} 是 npm 仓库`));

/** The answer for a server that refuses in JSON, as npm registries do and others, too. */
export const isDoubtful = (host: string): Answer =>
  unknown(
    text(
      `${host} does not show whether it is an npm registry`,
      `${host} 未表明自己是否为 npm 仓库`,
    ),
  );

export const isOther = (host: string, status: number): Answer =>
  no(
    text(
      `${host} answers, but not as an npm registry does (a missing package was answered ${status}, without JSON ` +
        "about packages): check host, port and path of the url, and the protocol",
      `${host} 有应答，但不是 npm 仓库（对不存在的包应答了 ${status}，且不是关于包的 JSON）：` +
        "请检查 url 的主机、端口和路径，以及 protocol",
    ),
  );

export const anonymous = (host: string): Answer =>
  unknown(
    text(
      `no login was given; whether ${host} lets anybody publish shows only when a package is published`,
      `未提供凭据；${host} 是否允许匿名发布，只有在发布包时才知道`,
    ),
  );

export const knowsLogin = (host: string, username: string): Answer =>
  yes(
    text(`${host} knows the login as ${username}`, `${host} 将该凭据识别为 ${username}`),
  );

export const strangeLogin = (host: string): Answer =>
  no(
    text(
      `${host} does not know this login: check username and password, or token`,
      `${host} 不认识该凭据：请检查 username 和 password，或 token`,
    ),
  );

export const silentLogin = (host: string): Answer =>
  unknown(
    text(`${host} does not say who is logged in`, `${host} 不提供当前登录者的信息`),
  );

export const SHOWS_LATER = unknown(
  text(
    "permissions show only when a package is read or published",
    "只有在读取或发布包时才知道权限",
  ),
);
