import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cluster } from "../../db/schema/tasks.ts";
import { addRepository } from "../rigs/db/rows.ts";
import { createTaskApi, type TaskApi } from "../rigs/api/api-task-fixture.ts";
import { AT, TO_REGISTRY } from "../rigs/api/distributions.ts";

let api: TaskApi;
beforeEach(() => {
  api = createTaskApi();
  addRepository(api.db, "p", "hosted", "DOCKER");
});
afterEach(() => api.close());

const create = (configs: object[], repo = "p/files") =>
  api.call("POST", `${AT}/create/${repo}`, { body: { configs } });
const done = { status: 200, code: 0, message: null, data: null };
const clusterNamed = (name: string) =>
  api.db.select().from(cluster).where(eq(cluster.name, name)).get();

describe("the rules for a distribution", () => {
  test.each([
    ["an invalid name", { name: "1x" }, 250105],
    ["a name that is too long", { name: `a${"b".repeat(128)}` }, 250105],
    ["neither registry nor cluster", { registry: null }, 250105],
    ["an ftp address as registry", { registry: "ftp://host" }, 250105],
    ["a registry at a metadata address", { registry: "http://169.254.169.254" }, 250105],
    ["an unknown cluster", { clusterId: "nope" }, 250306],
    ["credentials in the registry", { registry: "robot:hush-hush@host/x" }, 250105],
    ['a remote project with ".."', { remoteProjectId: "../.." }, 250105],
    ["a path that leaves the repository", { pathConstraints: ["/../x"] }, 251011],
  ])("a distribution with %s is refused", async (_what, changes, code) => {
    const answer = await create([{ ...TO_REGISTRY, ...changes }]);
    expect(answer).toMatchObject({ status: 400, code, data: null });
    expect(answer.text).not.toContain("hush-hush");
    expect(api.db.select().from(cluster).all()).toHaveLength(2);
  });

  test("a request for a distribution with an unknown project, repository or name is refused", async () => {
    expect(await create([TO_REGISTRY], "q/files")).toMatchObject({
      status: 404,
      code: 251004,
    });
    expect(await create([TO_REGISTRY], "p/nope")).toMatchObject({
      status: 404,
      code: 251006,
    });
    expect(await create([])).toMatchObject({ status: 400, code: 250104 });
    for (const name of ["nope", "1x"])
      expect(
        await api.call("POST", `${AT}/update/p/files/${name}`, { body: TO_REGISTRY }),
      ).toMatchObject({
        status: 400,
        code: 250310,
      });
    expect(await api.call("DELETE", `${AT}/delete/p/files/nope`)).toMatchObject({
      status: 400,
      code: 250310,
    });
    expect(await api.call("POST", `${AT}/toggle/status/p/files/nope`)).toMatchObject({
      status: 400,
      code: 250310,
    });
    expect(await api.call("GET", `${AT}/info/p/nope`)).toMatchObject({
      status: 404,
      code: 251006,
    });
  });

  test("a distribution of a linked repository is refused if its type is REAL_TIME", async () => {
    expect(await create([TO_REGISTRY], "p/images")).toMatchObject({
      status: 400,
      code: 250105,
      message: expect.stringContaining("CRON_EXPRESSION"),
    });
  });

  test("a distribution is accepted with names of the maximum length", async () => {
    const [project, repo, name] = ["p".repeat(100), "r".repeat(64), "n".repeat(128)];
    addRepository(api.db, project, repo, "GENERIC");
    expect(await create([{ ...TO_REGISTRY, name }], `${project}/${repo}`)).toMatchObject(
      done,
    );
    expect(clusterNamed(`${project}/${repo}/${name}`)?.name).toHaveLength(294);
  });
});
