import { createTestApi } from "./api-fixture.ts";

type Fetch = ReturnType<typeof createTestApi>["app"]["fetch"];
type Operation = { path: string; pattern: RegExp; statuses: Record<string, Set<string>> };

const NATIVE = /^\/(?:generic|v2|npm|maven)\//;
/** Path parameters that may contain slashes; all others are one segment. */
const LONG: Record<string, string> = {
  path: ".+",
  image: ".+",
  name: "(?:@[^/]*?(?:/|%2f))?[^/]+",
};

let known: Promise<Operation[]> | undefined;

/**
 * Reads the native endpoints' operations and their statuses from the OpenAPI document, the most literal paths first.
 */
async function operations(): Promise<Operation[]> {
  const api = createTestApi();
  const { text } = await api.call("GET", "/openapi.json", { login: null });
  api.close();
  const { paths } = JSON.parse(text) as {
    paths: Record<string, Record<string, { responses: object }>>;
  };
  const native = Object.entries(paths).filter(([path]) => NATIVE.test(`${path}/`));
  const literal = ([path]: [string, unknown]) => path.replaceAll(/\{\w+\}/g, "").length;
  return native
    .toSorted((a, b) => literal(b) - literal(a))
    .map(([path, item]) => {
      const segments = path
        .replace(/\/$/, "")
        .replaceAll(/\{(\w+)\}/g, (_, name: string) => LONG[name] ?? "[^/]+");
      const statuses = Object.entries(item).map(
        ([method, { responses }]) =>
          [method.toUpperCase(), new Set(Object.keys(responses))] as const,
      );
      return {
        path,
        pattern: new RegExp(`^${segments}/?$`, "i"),
        statuses: Object.fromEntries(statuses),
      };
    });
}

/**
 * Watches the answers of native endpoints; `check` throws if one had a status that the OpenAPI document does not list
 * for its operation. Requests without an operation (405, unreadable) are ignored; HEAD counts as GET unless it has an
 * entry.
 */
export function watchStatuses(fetch: Fetch) {
  const unlisted = new Set<string>();
  async function look({ method, url }: Request, status: number): Promise<void> {
    const path = url.replace(/^\w+:\/\/[^/]*/, "").replace(/[?#].*$/s, "");
    const found = (await (known ??= operations())).find(({ pattern }) =>
      pattern.test(path),
    );
    const listed =
      found?.statuses[method] ?? (method === "HEAD" ? found?.statuses["GET"] : undefined);
    if (found && listed && !listed.has(String(status)))
      unlisted.add(`${method} ${found.path}: ${status}`);
  }
  const watched: Fetch = async (request, env, context) => {
    const response = await fetch(request, env, context);
    if (!(env instanceof Object && "refused" in env))
      await look(request, response.status);
    return response;
  };
  return {
    fetch: watched,
    check(): void {
      if (unlisted.size > 0)
        throw new Error(
          `the OpenAPI document does not list these statuses, which were answered:\n${[...unlisted].join("\n")}`,
        );
    },
  };
}
