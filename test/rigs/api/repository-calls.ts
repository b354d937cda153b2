import { expect } from "vitest";
import type { TestApi } from "./api-fixture.ts";

/** Calls of the repository API; `api` returns the API of the running test. */
export function repositoryCalls(api: () => TestApi) {
  const post = (path: string, body: unknown) =>
    api().call("POST", `/repository/api${path}`, { body });
  const get = (path: string) => api().call("GET", `/repository/api${path}`);

  async function makeProject(name = "demo") {
    expect(
      await post("/project/create", { name, displayName: "Demo", description: null }),
    ).toMatchObject({
      status: 200,
      code: 0,
      data: null,
    });
  }
  return { post, get, makeProject };
}

/** The body that links a DOCKER repository `hub` to a registry. */
export const linked = (url: string, more: object = {}) => ({
  projectId: "demo",
  name: "hub",
  type: "DOCKER",
  category: "REMOTE",
  public: false,
  description: "elsewhere",
  configuration: {
    type: "remote",
    url,
    credentials: { username: "u", password: "top secret" },
    ...more,
  },
  displayName: null,
});
