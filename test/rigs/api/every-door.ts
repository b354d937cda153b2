import type { TestApi } from "./api-fixture.ts";

/** An operation of the OpenAPI document or a door that it does not describe; `path` has no parameters left. */
export type Door = { method: string; path: string };

/** Values of the parameters in paths, so that the paths are those of the native protocols. */
const VALUES: Record<string, string> = {
  projectId: "demo",
  repoName: "files",
  digest: `sha256:${"0".repeat(64)}`,
  path: "a/b.txt",
};

/**
 * Paths that the document does not describe: the internal API, all hosted types at their roots, and paths that lead
 * nowhere.
 */
const UNDESCRIBED = [
  "/internal/v1/worker",
  "/internal/v1/reports",
  "/internal/v1/blobs",
  "/internal/v1/nothing",
  "/npm/demo/files/-/user/org.couchdb.user:x",
  "/npm/demo/files/-/npm/v1/security/advisories/bulk",
  "/v2/token",
  "/v2/demo/files/app/nothing",
  "/metrics",
  "/nowhere",
  "/",
].flatMap((path) => ["POST", "PUT"].map((method) => ({ method, path })));

/** Lists every operation of the API and of all hosted types. */
export async function everyDoor(api: Pick<TestApi, "call">): Promise<Door[]> {
  const { text } = await api.call("GET", "/openapi.json", { login: null });
  const { paths } = JSON.parse(text) as { paths: Record<string, object> };
  const described = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{(\w+)\}/g, (_, name: string) => VALUES[name] ?? "x"),
    })),
  );
  return [...described, ...UNDESCRIBED];
}

/** Whether an answer has the form in which the protocol of a path tells errors. */
export function isInForm(path: string, body: string): boolean {
  if (path.startsWith("/maven/")) return /^[A-Z0-9a-z].*\n$/s.test(body);
  if (path.startsWith("/internal/")) return body !== "";
  const json = JSON.parse(body) as Record<string, unknown>;
  if (path.startsWith("/v2/")) return Array.isArray(json["errors"]);
  if (path.startsWith("/npm/")) return typeof json["error"] === "string";
  return typeof json["code"] === "number" && typeof json["traceId"] === "string";
}
