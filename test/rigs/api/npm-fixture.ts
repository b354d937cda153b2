import type { ApiDeps } from "../../../api/deps.ts";
import { addFollower } from "../db/rows.ts";
import { send, startApi } from "./socket-fixture.ts";

/** Starts the API on a socket, with an NPM repository demo/packages. */
export async function startNpm(overrides: Partial<ApiDeps> = {}) {
  const api = await startApi(overrides);
  await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name: "packages", type: "NPM" },
  });
  addFollower(api.db, "demo");
  const base = "/npm/demo/packages";
  return { ...api, base, registry: `${api.url}${base}`, npm: npmCaller(api.port, base) };
}

export type NpmAnswer = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  json: Record<string, unknown>;
};
type Call = { body?: unknown; headers?: Record<string, string> };

/**
 * Returns functions that send requests below a repository's address; a body that is not a Buffer is
 * sent as JSON.
 */
export function npmCaller(port: number, base: string) {
  return async (
    method: string,
    path: string,
    { body, headers = {} }: Call = {},
  ): Promise<NpmAnswer> => {
    const bytes =
      body === undefined
        ? []
        : [Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))];
    const length = bytes[0]
      ? { "content-length": bytes[0].length, "content-type": "application/json" }
      : {};
    const answer = await send(
      port,
      method,
      `${base}${path}`,
      { ...length, ...headers },
      bytes,
    );
    const { body: received, headers: got, status } = answer;
    const isJson = received.length > 0 && /json/.test(String(got["content-type"]));
    return {
      status,
      headers: got,
      body: received,
      json: isJson
        ? (JSON.parse(received.toString("utf8")) as Record<string, unknown>)
        : {},
    };
  };
}
