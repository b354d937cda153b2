import { ADMIN, basic, createTestApi, type TestApi } from "./api-fixture.ts";

/** Starts an API with the hosted GENERIC repository `demo/files`; `now` is its clock. */
export async function createFilesApi(now: () => number): Promise<TestApi> {
  const api = createTestApi({ now });
  await api.call("POST", "/repository/api/project/create", {
    body: { name: "demo", displayName: "Demo" },
  });
  await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name: "files", type: "GENERIC" },
  });
  return api;
}

/** Calls for files of `demo/files`; `api` returns the API of the running test. */
export const fileCalls = (api: () => TestApi) => ({
  put: (path: string, body: string, headers: Record<string, string> = {}) =>
    api().call("PUT", `/generic/demo/files/${path}`, { body, headers }),
  node: (path: string) =>
    api().call("GET", `/repository/api/node/detail/demo/files/${path}`),
  /** Sends a request to the endpoint for files, and returns its response unread. */
  files(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Uint8Array<ArrayBuffer>,
  ) {
    const init = {
      method,
      headers: {
        authorization: basic(`${ADMIN.username}:${ADMIN.password}`),
        ...headers,
      },
      ...(body ? { body } : {}),
    };
    return api().app.fetch(
      new Request(`http://localhost/generic/demo/files/${path}`, init),
      {},
    );
  },
});
