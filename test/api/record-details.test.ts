import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eq } from "drizzle-orm";
import { closeRecord } from "../../db/runs/close.ts";
import { detail } from "../../db/schema/records.ts";
import {
  addDetails,
  addManyDetails,
  addRecord,
  type DetailValues,
  setPlanned,
} from "../rigs/db/rows.ts";
import { INSTANCE, REGISTRY, type TaskApi } from "../rigs/api/api-task-fixture.ts";
import {
  createRecordedTask,
  type Page,
  RECORD,
  type Row,
} from "../rigs/api/recorded-task.ts";

let api: TaskApi;
let key: string;
beforeEach(async () => {
  ({ api, key } = await createRecordedTask());
});
afterEach(() => api.close());

const get = async (path: string) => (await api.call("GET", `${RECORD}/${path}`)).data;
const pageOf = async (path: string) => (await get(path)) as Page;

describe("details of an execution", () => {
  let id: string;
  const rows: Omit<DetailValues, "recordId">[] = [
    {
      clusterId: INSTANCE,
      artifactName: "/lib/a.jar",
      digest: `sha256:${"ab".repeat(32)}`,
      size: 646,
      conflict: true,
      skip: true,
      conflictStrategy: "SKIP",
      nodeSkip: 1,
    },
    {
      clusterId: INSTANCE,
      artifactName: "/lib/b%_.jar",
      status: "FAILED",
      errorReason: "413 from the target",
      nodeFailed: 1,
    },
    {
      clusterId: INSTANCE,
      artifactName: "/other",
      status: "RUNNING",
      again: true,
      errorReason: "503, tried again",
      size: null,
    },
    {
      clusterId: REGISTRY,
      object: 1,
      artifactName: "library/nginx",
      version: "1",
      size: 30,
      sizePlanned: false,
      blobSuccess: 3,
      blobSkip: 2,
      nodeSuccess: 1,
      bytesSent: 20,
    },
    {
      clusterId: REGISTRY,
      object: 1,
      artifactName: "library/nginx",
      version: "1.1",
      digest: "sha512:00",
      skip: true,
    },
    {
      clusterId: REGISTRY,
      object: 2,
      artifactName: "com.alibaba:fastjson",
      version: "1.2.47",
    },
  ];
  beforeEach(() => {
    id = addRecord(api.db, key, api.time.now);
    addDetails(
      api.db,
      rows.map((row, i) => ({ ...row, recordId: id, seq: i + 1 })),
    );
  });

  test("details of an execution show the outcome of each artifact, in the newer and the older format", async () => {
    const list = (await get(`detail/list/${id}`)) as Row[];
    expect(list.map(({ artifactName }) => artifactName)).toEqual(
      rows.map(({ artifactName }) => artifactName).toReversed(),
    );
    expect(list.at(-1)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/) as string,
      recordId: id,
      localCluster: "center",
      remoteCluster: "shanghai",
      localRepoName: "files",
      repoType: "GENERIC",
      packageConstraint: null,
      pathConstraint: null,
      artifactName: "/lib/a.jar",
      version: null,
      conflictStrategy: "SKIP",
      size: 646,
      sha256: "ab".repeat(32),
      digest: `sha256:${"ab".repeat(32)}`,
      status: "SUCCESS",
      progress: {
        success: 0,
        skip: 1,
        failed: 0,
        totalSize: 646,
        conflict: 1,
        fileSuccess: 0,
        fileFailed: 0,
        blob: { total: 0, success: 0, skip: 0, failed: 0 },
        node: { total: 1, success: 0, skip: 1, failed: 0 },
        version: null,
      },
      startTime: "2020-09-13T20:26:40.000",
      endTime: null,
      errorReason: null,
      compared: null,
      verified: null,
      note: null,
      executeType: "FULL",
    });
    expect(list[2]).toMatchObject({
      remoteCluster: "hub",
      localRepoName: "images",
      packageConstraint: { packageKey: "docker://library/nginx", versions: ["1", "2"] },
      version: "1",
      progress: {
        success: 4,
        skip: 2,
        failed: 0,
        totalSize: 30,
        blob: { total: 5, success: 3, skip: 2, failed: 0 },
        version: { total: 1, success: 1, skip: 0, failed: 0 },
      },
      executeType: "PARTIAL",
    });
    expect(list[1]).toMatchObject({
      sha256: null,
      digest: "sha512:00",
      progress: { version: { success: 0, skip: 1 } },
    });
    expect(list[3]).toMatchObject({
      status: "RUNNING",
      errorReason: "503, tried again",
      size: null,
      progress: { totalSize: 0 },
    });
    expect(new Set(list.map((row) => row.id)).size).toBe(rows.length);
  });

  const all = rows.length;
  test.each<[string, string, number[]]>([
    ["no value", "", [5, 4, 3, 2, 1, 0]],
    ["a status", "status=SUCCESS", [5, 4, 3, 0]],
    ["another status", "status=RUNNING", [2]],
    ["the beginning of a repository's name", "repoName=imag", [4, 3]],
    ["the full name of a repository", "repoName=files", [2, 1, 0]],
    ["a repository that does not exist", "repoName=x", []],
    ["the beginning of a cluster's name", "clusterName=shang", [2, 1, 0]],
    ["a wildcard as cluster, which matches nothing", "clusterName=%25", []],
    ["the beginning of a package's name", "packageName=library/", [4, 3]],
    ["the beginning of a package key", "packageName=docker://library/ng", [4, 3]],
    [
      "the beginning of a file's path as package, which matches nothing",
      "packageName=/lib",
      [],
    ],
    ["the beginning of a Maven package's name", "packageName=com.alibaba", [5]],
    ["the beginning of a path", "path=/lib/", [1, 0]],
    ["a path without its first slash", "path=lib/a", [0]],
    [
      "a path with characters that could be wildcards, taken literally",
      "path=/lib/b%25_",
      [1],
    ],
    ["a path with a wildcard, which matches nothing", "path=/lib/%25", []],
    ["a path in another letter case, which matches nothing", "path=/LIB", []],
    ["the beginning of an artifact's name", "artifactName=library/nginx", [4, 3]],
    ["the beginning of a file's path as artifact", "artifactName=/o", [2]],
    ["an exact version", "version=1", [3]],
    ["the beginning of a version, which matches nothing", "version=1.2", []],
    [
      "several values at once",
      "clusterName=hub&repoName=images&version=1.1&status=SUCCESS",
      [4],
    ],
    ["values that exclude one another", "clusterName=shanghai&repoName=images", []],
    [
      "empty texts, which match everything",
      "packageName=&path=&version=&repoName=&clusterName=&artifactName=",
      [5, 4, 3, 2, 1, 0],
    ],
  ])("details of an execution are filtered by %s", async (_case, query, expected) => {
    const page = await pageOf(`detail/page/${id}?${query}`);
    expect(
      page.records.map(({ artifactName, version }) => [artifactName, version]),
    ).toEqual(expected.map((i) => [rows[i]?.artifactName, rows[i]?.version ?? null]));
    expect(page).toMatchObject({
      totalRecords: expected.length,
      count: expected.length,
      totalPages: Math.ceil(expected.length / 20),
    });
    const small = await pageOf(`detail/page/${id}?${query}&pageSize=1&pageNumber=2`);
    expect([small.totalRecords, small.records.length]).toEqual([
      expected.length,
      expected.length > 1 ? 1 : 0,
    ]);
  });

  test("details of a task with record=false are deleted when its run ends, and the overview is kept", async () => {
    const quiet = await api.created({ name: "quiet", record: false, enabled: true });
    const run = addRecord(api.db, quiet.key, api.time.now);
    setPlanned(api.db, run, 1, 10);
    addDetails(api.db, [{ recordId: run, clusterId: INSTANCE, artifactName: "/a" }]);
    expect(await pageOf(`detail/page/${run}`)).toMatchObject({ totalRecords: 1 });
    await closeRecord(api.db, run, null, () => api.time.now);
    expect(await pageOf(`detail/page/${run}`)).toMatchObject({
      totalRecords: 0,
      records: [],
    });
    expect(await get(`overview/${run}`)).toMatchObject({
      success: 1,
      planned: 1,
      notDone: 0,
    });
    expect(all).toBe(
      api.db.select().from(detail).where(eq(detail.recordId, id)).all().length,
    );
  });
});

const numbers = ({ records }: Pick<Page, "records">) =>
  records.map(({ artifactName }) => Number(String(artifactName).slice(3)));

describe("many details", () => {
  const MANY = 20_000;

  test("20,000 details are listed and paged without a gap, and do not delay other requests", async () => {
    const id = addRecord(api.db, key, api.time.now);
    addManyDetails(api.db, id, INSTANCE, MANY);
    const expected = (from: number, count: number, step = 1) =>
      Array.from({ length: count }, (_, i) => MANY - (from + i) * step);

    expect(numbers(await pageOf(`detail/page/${id}?pageSize=1000`))).toEqual(
      expected(0, 1000),
    );
    expect(numbers(await pageOf(`detail/page/${id}?pageSize=100&pageNumber=77`))).toEqual(
      expected(7600, 100),
    );
    expect(
      numbers(await pageOf(`detail/page/${id}?pageSize=100&pageNumber=150`)),
    ).toEqual(expected(14_900, 100));
    expect(numbers(await pageOf(`detail/page/${id}?pageSize=300&pageNumber=67`))).toEqual(
      expected(19_800, 200),
    );
    expect(
      numbers(await pageOf(`detail/page/${id}?pageSize=100&pageNumber=50&status=FAILED`)),
    ).toEqual(expected(4900, 100, 4));
    expect(
      await pageOf(`detail/page/${id}?pageSize=100&pageNumber=51&status=FAILED`),
    ).toMatchObject({
      totalRecords: 5000,
      totalPages: 50,
      records: [],
    });

    const waiting = { done: false, others: 0 };
    const list = get(`detail/list/${id}`);
    const search = pageOf(`detail/page/${id}?artifactName=/f/1&pageSize=10&pageNumber=3`);
    const both = Promise.all([list, search]).finally(() => {
      waiting.done = true;
    });
    while (!waiting.done) {
      await new Promise((resolve) => setImmediate(resolve));
      await api.info(key);
      waiting.others += 1;
    }
    await both;
    expect(numbers({ records: (await list) as Row[] })).toEqual(expected(0, MANY));
    const ones = expected(0, MANY).filter((n) => String(n).startsWith("1"));
    expect([numbers(await search), (await search).totalRecords]).toEqual([
      ones.slice(20, 30),
      ones.length,
    ]);
    expect(waiting.others).toBeGreaterThan(10);
  });
});
