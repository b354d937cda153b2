import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { random } from "../rigs/api/content-fixture.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";
import { refusedUploads } from "../rigs/runs/metrics-fixture.ts";
import {
  createDoorRepositories,
  uploadDoors,
  type Door,
} from "../rigs/transfer/upload-doors.ts";

const CONTENT = 64 * 1024;
const SLACK = CONTENT / 2;

let api: Awaited<ReturnType<typeof startApi>>;
let doors: Door[];
beforeAll(async () => {
  api = await startApi();
  await createDoorRepositories(api);
  doors = uploadDoors(api).filter(({ isLoose }) => !isLoose);
});
afterAll(() => api.close());
beforeEach(async () => {
  await limit("project", "demo", -1);
  for (const { repository } of doors) await limit("repo", `demo/${repository}`, -1);
});

type Quota = { quota: number | null; used: number };

async function limit(of: "project" | "repo", name: string, quota: number | string) {
  const path = `/repository/api/${of}/quota/${name}?quota=${quota}`;
  const answer = await api.call("POST", path);
  expect(answer.code).toBe(0);
}

const quotaOf = async (of: "project" | "repo", name: string) =>
  (await api.call("GET", `/repository/api/${of}/quota/${name}`)).data as Quota;
const usedBy = async (door: Door) =>
  (await quotaOf("repo", `demo/${door.repository}`)).used;
const put = (name: string, bytes: Buffer, headers: Record<string, string> = {}) =>
  send(
    api.port,
    "PUT",
    `/generic/demo/files/${name}`,
    { "content-length": bytes.length, ...headers },
    [bytes],
  );
const isTaken = ({ status, said }: Awaited<ReturnType<Door["put"]>>) =>
  status < 300 && !said.includes('"refused"');

/** Compares the counted bytes of every repository with the sizes of its files. */
function expectExact() {
  const rows = api.db.$client
    .prepare(
      `SELECT r.name, coalesce(u.bytes, 0) AS counted,
         (SELECT coalesce(sum(size), 0) FROM node WHERE repository_id = r.id) AS used
       FROM repository r LEFT JOIN usage u ON u.repository_id = r.id`,
    )
    .all() as { name: string; counted: number; used: number }[];
  expect(rows.map(({ name, counted }) => [name, counted])).toEqual(
    rows.map(({ name, used }) => [name, used]),
  );
}

describe("a quota", () => {
  test.each(["repo", "project"] as const)(
    "of a %s is kept at every door, in the form of its protocol, and what is refused leaves nothing",
    async (of) => {
      const forms: unknown[] = [];
      const refusedBefore = await refusedUploads(api, "quota");
      for (const door of doors) {
        const name = of === "repo" ? `demo/${door.repository}` : "demo";
        const { used } = await quotaOf(of, name);
        await limit(of, name, used + CONTENT + SLACK);
        const first = await door.put(random(CONTENT));
        expect([door.name, isTaken(first), first.said]).toEqual([
          door.name,
          true,
          first.said,
        ]);
        const full = await quotaOf(of, name);
        expect(full.used).toBeGreaterThan(used + CONTENT / 2);
        const second = await door.put(random(CONTENT));
        expect([door.name, isTaken(second), second.said]).toEqual([
          door.name,
          false,
          expect.stringMatching(
            new RegExp(
              `quota of (?:repository|project) ${name} is .*of which .* are used.*raise`,
            ),
          ),
        ]);
        expect(await quotaOf(of, name)).toEqual(full);
        forms.push([
          second.status,
          second.said.startsWith("{") ? JSON.parse(second.said) : "",
        ]);
        await limit(of, name, -1);
        expect(isTaken(await door.put(random(CONTENT)))).toBe(true);
      }
      const denied = [413, { errors: [{ code: "DENIED" }] }];
      const refused = { result: "refused", code: 250106 };
      expect(forms).toMatchObject([
        [413, { code: 250106 }],
        [413, ""],
        [413, { reason: "too_large" }],
        denied,
        denied,
        denied,
        [200, { data: { files: [refused] } }],
        [200, { data: { versions: [refused] } }],
      ]);
      await expect
        .poll(() => refusedUploads(api, "quota"))
        .toBe(refusedBefore + doors.length);
      expectExact();
    },
  );

  test("lets only those of simultaneous uploads in that fit", async () => {
    const { used } = await quotaOf("repo", "demo/files");
    await limit("repo", "demo/files", used + 3 * CONTENT + SLACK);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => put(`at-once-${i}`, random(CONTENT))),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    expect(statuses.filter((status) => status === 413)).toHaveLength(9);
    expect((await quotaOf("repo", "demo/files")).used).toBe(used + 3 * CONTENT);
  });

  test("counts a replaced file by the difference, and a deleted one no more", async () => {
    const files = () => quotaOf("repo", "demo/files");
    expect((await put("replaced", random(CONTENT))).status).toBe(200);
    const { used } = await files();
    await limit("repo", "demo/files", used);
    const over = { "x-bkrepo-overwrite": "true" };
    expect((await put("replaced", random(CONTENT + 1), over)).status).toBe(413);
    expect((await put("replaced", random(CONTENT), over)).status).toBe(200);
    expect((await put("replaced", random(100), over)).status).toBe(200);
    expect(await files()).toEqual({ quota: used, used: used - CONTENT + 100 });
    expect((await put("empty", Buffer.alloc(0))).status).toBe(200);
    await send(api.port, "DELETE", "/generic/demo/files/replaced");
    expect((await files()).used).toBe(used - CONTENT);
    expect((await put("more", random(CONTENT))).status).toBe(200);
    expect((await put("one-byte", random(1))).status).toBe(413);
    expectExact();
  });

  test("that is lower than what is stored refuses only what would make it more", async () => {
    expect((await put("kept", random(CONTENT))).status).toBe(200);
    await limit("repo", "demo/files", 0);
    expect((await put("no", random(1))).status).toBe(413);
    expect((await send(api.port, "GET", "/generic/demo/files/kept")).status).toBe(200);
    const over = { "x-bkrepo-overwrite": "true" };
    expect((await put("kept", random(CONTENT / 2), over)).status).toBe(200);
  });

  test("of an image does not refuse a tag of what is there, and counts a mounted blob", async () => {
    const [blob] = doors.filter(({ name }) => name === "a blob of /v2 in one request");
    const content = random(CONTENT);
    expect(
      isTaken((await blob?.put(content)) ?? { status: 500, said: "", headers: {} }),
    ).toBe(true);
    const { used } = await quotaOf("repo", "demo/img");
    await limit("repo", "demo/img", used + SLACK);
    const again = await blob?.put(content);
    expect([again?.status, again?.said]).toEqual([201, ""]);
    const digest = String(again?.headers["docker-content-digest"]);
    const mount = `/v2/demo/img/other/blobs/uploads/?mount=${digest}&from=demo/img/app`;
    const mounted = await send(api.port, "POST", mount, { "content-length": 0 });
    expect([mounted.status, mounted.body.toString()]).toEqual([
      413,
      expect.stringMatching(/DENIED.*quota of repository demo\/img/),
    ]);
    await limit("repo", "demo/img", -1);
    expect((await send(api.port, "POST", mount, { "content-length": 0 })).status).toBe(
      201,
    );
    expect(await usedBy(doors[3] as Door)).toBe(used + CONTENT);
  });

  test("of a target that has no room for a declared file is said before its content is asked for", async () => {
    const { used } = await quotaOf("repo", "demo/files");
    await limit("repo", "demo/files", used + CONTENT);
    const declare = async (size: number) =>
      (await doors.find(({ name }) => name.startsWith("files that"))?.declare?.(size))
        ?.said;
    expect(await declare(CONTENT)).toMatch(/"result":"need"/);
    expect(await declare(CONTENT + 1)).toMatch(/"result":"refused".*quota of repository/);
  });

  test("is gone with its repository, and what packages and folders held is free when they are deleted", async () => {
    for (const door of doors) await door.put(random(CONTENT));
    const before = await quotaOf("project", "demo");
    const body = { projectId: "demo", name: "gone", type: "GENERIC", quota: CONTENT };
    await api.call("POST", "/repository/api/repo/create", { body });
    await send(api.port, "PUT", "/generic/demo/gone/a/b", { "content-length": 100 }, [
      random(100),
    ]);
    expect((await quotaOf("project", "demo")).used).toBe(before.used + 100);
    await api.call("DELETE", "/repository/api/repo/delete/demo/gone?forced=true");
    expect(await quotaOf("project", "demo")).toEqual(before);
    for (const repository of ["npm", "mvn", "img"]) {
      const path = `/repository/api/package/page/demo/${repository}?pageSize=100`;
      const page = (await api.call("GET", path)).data as { records: { key: string }[] };
      for (const { key } of page.records)
        await api.call(
          "DELETE",
          `/repository/api/package/delete/demo/${repository}?packageKey=${encodeURIComponent(key)}`,
        );
      expectExact();
    }
    expect((await quotaOf("repo", "demo/npm")).used).toBe(0);
  });
});

describe("the API of quotas", () => {
  test("shows quota and use of projects and repositories wherever these are shown", async () => {
    await api.call("POST", "/repository/api/project/create", {
      body: { name: "limited", displayName: "", quota: 5_000 },
    });
    const body = { projectId: "limited", name: "files", type: "GENERIC", quota: 1_000 };
    const made = await api.call("POST", "/repository/api/repo/create", { body });
    expect(made.data).toMatchObject({ quota: 1_000, used: 0 });
    const path = "/generic/limited/files/a";
    await send(api.port, "PUT", path, { "content-length": 600 }, [random(600)]);
    const shown = { quota: 1_000, used: 600 };
    const get = async (rest: string) =>
      (await api.call("GET", `/repository/api${rest}`)).data;
    expect(await get("/repo/info/limited/files")).toMatchObject(shown);
    expect(await get("/repo/list/limited")).toMatchObject([shown]);
    expect(await get("/repo/page/limited/1/10")).toMatchObject({ records: [shown] });
    expect(await get("/repo/quota/limited/files")).toEqual(shown);
    expect(await get("/project/quota/limited")).toEqual({ quota: 5_000, used: 600 });
    const projects = (await get("/project/list")) as { name: string }[];
    expect(projects.filter(({ name }) => name === "limited")).toMatchObject([
      { quota: 5_000, used: 600 },
    ]);
    expect(projects.filter(({ name }) => name === "demo")).toMatchObject([
      { quota: null },
    ]);
  });

  test.each([
    ["POST", "/repo/quota/demo/files?quota=-2", 400, 250131],
    ["POST", "/repo/quota/demo/files?quota=1GiB", 400, 250131],
    ["POST", "/project/quota/demo", 400, 250103],
    ["POST", "/repo/quota/demo/unknown?quota=1", 404, 251006],
    ["GET", "/project/quota/unknown", 404, 251004],
    ["POST", "/project/quota/unknown?quota=1", 404, 251004],
  ])("%s %s is refused", async (method, path, status, code) => {
    const answer = await api.call(method, `/repository/api${path}`);
    expect([answer.status, answer.code]).toEqual([status, code]);
  });

  test("refuses the quota of a linked repository, whose files are elsewhere", async () => {
    const answer = await api.call("POST", "/repository/api/repo/create", {
      body: {
        projectId: "demo",
        name: "hub",
        type: "OCI",
        category: "REMOTE",
        quota: 1,
        configuration: { type: "remote", url: "http://127.0.0.1:1" },
      },
    });
    expect([answer.code, answer.message]).toEqual([
      250105,
      expect.stringMatching(/\[quota\]/),
    ]);
  });
});
