import { sql } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Db } from "../../db/open.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { takePage } from "../../db/plan/listed.ts";
import { PAGE } from "../../db/plan/rows.ts";
import { newId } from "../../domain/ids.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { createFollowed, FILES, paths } from "../rigs/db/drain-fixture.ts";
import { addManyNodes, addManyVersions, openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");

let db: Db;

beforeEach(() => {
  db = openTestDb();
  for (const [name, type] of [
    ["files", "GENERIC"],
    ["maven", "MAVEN"],
    ["npm", "NPM"],
    ["images", "OCI"],
  ] as const)
    addRepository(db, "p", name, type);
});
afterEach(() => removeTestDb(db));

const open = (object: TaskObject) =>
  openRun(db, object, [addCluster(db, newId(), "STANDALONE")], NOW);
const page = (recordId: string, object: TaskObject) =>
  planHostedPage(db, recordId, 0, { ...object, projectId: "p" }, NOW);
const from = (
  localRepoName: string,
  repoType: RepositoryType,
  rest: Partial<TaskObject> = {},
): TaskObject => ({
  ...FILES,
  localRepoName,
  repoType,
  ...rest,
});

type Sums = { planned: number; bytes: number };
const told = (of: Db, recordId: string) =>
  of.get<Sums>(
    sql`SELECT sum(planned) AS planned, sum(bytes) AS bytes FROM plan_object WHERE record_id = ${recordId}`,
  );
const counted = (of: Db, recordId: string) =>
  of.get<Sums>(
    sql`SELECT count(*) AS planned, coalesce(sum(size), 0) AS bytes FROM plan WHERE record_id = ${recordId}`,
  );
const lastSeq = (recordId: string) =>
  db.get<{ last: number }>(
    sql`SELECT max(seq) AS last FROM plan WHERE record_id = ${recordId}`,
  ).last;

/**
 * Plans the object to its end and returns the number of pages. After each page the record's count and
 * size must equal the plan's.
 */
function planAll(recordId: string, object: TaskObject): number {
  for (let pages = 1; ; pages += 1) {
    const complete = page(recordId, object);
    expect(told(db, recordId)).toEqual(counted(db, recordId));
    if (complete) return pages;
  }
}

/** Returns the query plan of each statement that `work` runs. */
function explained(work: () => void): string[] {
  const client = db.$client;
  const statements = new Set<string>();
  const prepare = client.prepare.bind(client);
  client.prepare = ((text: string) => {
    statements.add(text);
    return prepare(text);
  }) as typeof client.prepare;
  try {
    work();
  } finally {
    client.prepare = prepare;
  }
  return [...statements].flatMap((text) => {
    const values = Array.from(text.matchAll(/\?/g), () => null);
    return client
      .prepare<null[], { detail: string }>(`EXPLAIN QUERY PLAN ${text}`)
      .all(...values)
      .map(({ detail }) => detail);
  });
}

describe("a page of a plan", () => {
  const objects: Record<string, TaskObject> = {
    "all files": FILES,
    "a folder, a file and files that match": paths(
      "/folder-1",
      "/folder-2/file-2",
      "/folder-3/*",
      "/nothing/*",
    ),
    "a MAVEN repository": from("maven", "MAVEN"),
    "paths of a MAVEN repository": from("maven", "MAVEN", {
      pathConstraints: [{ path: "/folder-1" }, { path: "/folder-2/*" }],
    }),
    "an NPM repository": from("npm", "NPM"),
    "packages, all their versions or some": from("npm", "NPM", {
      packageConstraints: [
        { packageKey: "npm://package-1", versions: null },
        { packageKey: "npm://package-2", versions: ["1.0.2", "none"] },
        { packageKey: "npm://none", versions: null },
      ],
    }),
    "an OCI repository": from("images", "OCI"),
  };

  test.for(Object.entries(objects))(
    "a plan page of %s finds its start by an index where the previous page ended, and sorts nothing",
    ([, object]) => {
      addManyNodes(db, object.localRepoName, PAGE + 10);
      addManyVersions(db, object.localRepoName, PAGE + 10);
      const recordId = open(object);
      const steps = explained(() => planAll(recordId, object));
      expect(steps.filter((step) => /SEARCH (node|k|v)\b/.test(step))).not.toEqual([]);
      expect(
        steps.filter((step) =>
          /TEMP B-TREE|AUTOMATIC|^SCAN (?!\(|j VIRTUAL TABLE|CONSTANT)/.test(step),
        ),
      ).toEqual([]);
    },
  );

  test("a plan page of a folder reads nothing outside of the folder", () => {
    addManyNodes(db, "files", 5 * PAGE, { folders: 100 });
    const folder = open(paths("/folder-7"));
    expect(planAll(folder, paths("/folder-7"))).toBe(1);
    expect(counted(db, folder).planned).toBe((5 * PAGE) / 100);
    expect(planAll(open(FILES), FILES)).toBe(6);
  });

  test("a plan page goes on within a package of very many versions, and past attached tags", () => {
    addManyVersions(db, "images", 3 * PAGE, { packages: 1 });
    addManyVersions(db, "images", 3 * PAGE, { packages: 1, attached: true });
    const recordId = open(from("images", "OCI"));
    expect(planAll(recordId, from("images", "OCI"))).toBe(7);
    expect([counted(db, recordId).planned, lastSeq(recordId)]).toEqual([
      3 * PAGE,
      3 * PAGE,
    ]);
  });

  test("plan pages cover 10,000 packages that the task names one by one", () => {
    addManyVersions(db, "npm", 10_000, { packages: 10_000 });
    const wanted = Array.from({ length: 10_000 }, (_, at) => ({
      packageKey: `npm://package-${at}`,
      versions: at % 2 ? null : [`1.0.${at}`],
    }));
    const object = from("npm", "NPM", { packageConstraints: wanted });
    const recordId = open(object);
    expect(planAll(recordId, object)).toBeLessThan(500);
    expect([counted(db, recordId).planned, lastSeq(recordId)]).toEqual([10_000, 10_000]);
  });

  test("plan pages add no artifact twice, and leave no gap in the sequence numbers", () => {
    addManyNodes(db, "files", 2 * PAGE, { folders: 2 });
    const object = paths("/folder-0/*4", "/folder-0", "/");
    const recordId = open(object);
    planAll(recordId, object);
    expect([counted(db, recordId).planned, lastSeq(recordId)]).toEqual([
      2 * PAGE,
      2 * PAGE,
    ]);
  });

  test("an artifact that a page of a listing names twice is counted once", () => {
    const recordId = open(FILES);
    const artifacts = ["a", "b", "a", "c"].map((name) => ({ name, version: "1" }));
    takePage(db, recordId, 0, 0, artifacts, "more");
    takePage(
      db,
      recordId,
      0,
      1,
      [
        { name: "c", version: "1" },
        { name: "d", version: "1", problem: "it has no manifest" },
      ],
      null,
    );
    expect(told(db, recordId)).toEqual({ planned: 4, bytes: 0 });
    expect([counted(db, recordId).planned, lastSeq(recordId)]).toEqual([4, 4]);
  });
});

describe("the count and size of a drain's plan", () => {
  test("a drain's planned count and size follow new, changed and deleted files", () => {
    const followed = createFollowed();
    const check = (planned: number, bytes: number) => {
      expect(told(followed.db, recordId)).toEqual({ planned, bytes });
      expect(counted(followed.db, recordId)).toEqual({ planned, bytes });
    };
    followed.uploadAll([
      ["/a", "1"],
      ["/b", "22"],
      ["/c", "333"],
    ]);
    const { recordId } = followed.drain();
    check(3, 6);
    followed.send(recordId);
    followed.uploadAll([
      ["/a", "55555"],
      ["/d", "4444"],
    ]);
    followed.grow(recordId);
    check(4, 14);
    followed.uploadAll([["/e", "666666"]]);
    followed.grow(recordId);
    check(5, 20);
    followed.remove("/e");
    followed.send(recordId);
    check(4, 14);
    followed.destroy();
  });
});
