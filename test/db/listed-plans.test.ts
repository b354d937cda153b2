import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Db } from "../../db/open.ts";
import { findRecord } from "../../db/records/records.ts";
import { takeBatch } from "../../db/runs/batch.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { listingRequest, takePage } from "../../db/plan/listed.ts";
import { plan } from "../../db/schema/plans.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { repository } from "../../db/schema/content.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { Protocol, RepositoryType } from "../../domain/vocabulary.ts";
import type { ListedArtifact } from "../../domain/worker-messages.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles, openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

let db: Db;
let clusterId: string;
beforeEach(() => {
  db = openTestDb();
  addRepository(db, "p", "hub", "DOCKER", "REMOTE");
  addRepository(db, "p", "files", "GENERIC");
  clusterId = addCluster(db, "one", "REMOTE");
});
afterEach(() => removeTestDb(db));

const HUB: TaskObject = { ...FILES, localRepoName: "hub", repoType: "DOCKER" };
const image = (at: number, more: Partial<ListedArtifact> = {}): ListedArtifact => ({
  name: "library/nginx",
  version: `1.${at}`,
  ...more,
});
const rowsOf = (recordId: string) =>
  db
    .select({ size: plan.size, digest: plan.digest })
    .from(plan)
    .where(eq(plan.recordId, recordId))
    .orderBy(plan.seq)
    .all();

function listed(artifacts: ListedArtifact[], clusters = [clusterId]): string {
  const recordId = openRun(db, HUB, clusters, NOW);
  takePage(db, recordId, 0, 0, artifacts, null);
  return recordId;
}

/** Cuts all batches at once; `counts`: artifacts in each. */
function cutAll(
  recordId: string,
  quick = 0,
): { counts: number[]; lanes: (string | undefined)[]; numbers: number[] } {
  const { batches } = cutBatches(
    db,
    { recordId, object: 0, clusterId, cut: 1, most: 50 },
    NOW,
    { shared: 50, quick },
  );
  const counts = batches.map(({ number }) => {
    const batch = takeBatch(db, recordId, number, NOW);
    return batch.kind === "batch" ? batch.artifacts.length : 0;
  });
  return {
    counts,
    lanes: batches.map(({ lane }) => lane),
    numbers: batches.map(({ number }) => number),
  };
}

function batchOf(recordId: string) {
  const [cut] = cutBatches(
    db,
    { recordId, object: 0, clusterId, cut: 1, most: 1 },
    NOW,
  ).batches;
  const batch = takeBatch(db, recordId, cut?.number ?? 0, NOW);
  if (batch.kind !== "batch") throw new Error(`the batch is ${batch.kind}`);
  return batch;
}

describe("a plan from a listing with sizes and digests", () => {
  test("when a listing reports sizes, the plan's bytes are known for every cluster before anything is sent", () => {
    const other = addCluster(db, "two", "REMOTE");
    const recordId = listed(
      [
        image(1, { size: 100, digest: "sha512:ab" }),
        image(2, { size: 50 }),
        image(3, { size: null, digest: null }),
      ],
      [clusterId, other],
    );
    expect(rowsOf(recordId)).toEqual([
      { size: 100, digest: "sha512:ab" },
      { size: 50, digest: null },
      { size: null, digest: null },
    ]);
    expect(findRecord(db, recordId)).toMatchObject({
      totalBytes: 300,
      overview: { planned: 6 },
    });
  });

  test("sizes beyond what can be added count as the largest that can, and the record can be read", () => {
    const sizes = [Number.MAX_VALUE, 2 ** 63, Number.MAX_SAFE_INTEGER, 1.5, -1];
    const other = addCluster(db, "two", "REMOTE");
    const recordId = listed(
      Array.from({ length: 2_000 }, (_, at) => image(at, { size: sizes[at] ?? 2 ** 63 })),
      [clusterId, other],
    );
    expect(rowsOf(recordId).slice(0, 5)).toMatchObject([
      { size: Number.MAX_SAFE_INTEGER },
      { size: Number.MAX_SAFE_INTEGER },
      { size: Number.MAX_SAFE_INTEGER },
      { size: 1 },
      { size: 0 },
    ]);
    const { totalBytes, overview } = findRecord(db, recordId) ?? {};
    expect(totalBytes).toBeGreaterThan(2 ** 64);
    expect(overview).toMatchObject({ planned: 4_000 });
  });

  test("when a listing reports sizes, batches are cut by bytes and big artifacts get a batch of their own", () => {
    const sizes = [
      200 * MIB,
      200 * MIB,
      200 * MIB,
      200 * MIB,
      200 * MIB,
      200 * MIB,
      GIB,
      1,
      2,
    ];
    const recordId = listed(sizes.map((size, at) => image(at, { size })));
    expect(cutAll(recordId).counts).toEqual([5, 1, 1, 2]);
  });

  test("a batch contains the sizes and digests that the listing reported", () => {
    const { artifacts } = batchOf(
      listed([image(1, { size: 7, digest: "sha1:cd" }), image(2)]),
    );
    expect(artifacts).toMatchObject([
      { version: "1.1", plannedSize: 7, digest: "sha1:cd", size: null, sha256: null },
      { version: "1.2", plannedSize: null, digest: null, size: null, sha256: null },
    ]);
  });

  test("a run of many small artifacts gets quick slots, and a run of artifacts of unknown size does not", () => {
    const small = Array.from({ length: 40 }, (_, at) => image(at, { size: MIB }));
    expect(cutAll(listed(small), 8).lanes[0]).toBe("QUICK");
    const unknown = small.map(({ size: _size, ...artifact }) => artifact);
    expect(cutAll(listed(unknown), 8).lanes[0]).toBeUndefined();
  });
});

test("a listing from an older worker, without sizes and digests, is planned without them", () => {
  const recordId = listed([
    image(1),
    { name: "library/gone", version: "", problem: "it is not there" },
  ]);
  expect(rowsOf(recordId)).toEqual([
    { size: null, digest: null },
    { size: null, digest: null },
  ]);
  expect(batchOf(recordId).artifacts).toMatchObject([
    { digest: null, plannedSize: null, problem: null },
    { problem: "it is not there" },
  ]);
});

test("a hosted file that was deleted after it was planned has no digest in its batch", () => {
  addFiles(db, ["/here"], NOW);
  clusterId = addCluster(db, "instance");
  const recordId = openRun(db, FILES, [clusterId], NOW);
  takePage(
    db,
    recordId,
    0,
    0,
    [
      { name: "/here", version: "" },
      { name: "/gone", version: "", digest: "sha256:00" },
    ],
    null,
  );
  expect(batchOf(recordId).artifacts).toMatchObject([
    { name: "/here", digest: `sha256:${"0".repeat(64)}` },
    { name: "/gone", digest: null },
  ]);
});

describe("the protocol of an end", () => {
  const source = (type: RepositoryType, url: string, protocol: Protocol | null) => {
    addRepository(db, "p", "linked", type, "REMOTE");
    db.update(repository)
      .set({ url, protocol })
      .where(eq(repository.name, "linked"))
      .run();
    const recordId = openRun(
      db,
      { ...FILES, localRepoName: "linked", repoType: type },
      [clusterId],
      NOW,
    );
    const answer = listingRequest(db, recordId, 0);
    return answer.kind === "list" ? answer.source.protocol : expect.fail(answer.kind);
  };

  test.each<[string, RepositoryType, string, Protocol | null, Protocol | null]>([
    ["the configured one", "HELM", "https://r.example", "OCI", "OCI"],
    ["that of its type if none is configured", "NPM", "https://r.example", null, "NPM"],
    ["OCI for images if none is configured", "OCI", "https://r.example", null, "OCI"],
    ["S3 for the address of a bucket", "GENERIC", "s3://bucket/prefix", null, "S3"],
    [
      "DIRECTORY for the address of a folder, for any type",
      "MAVEN",
      "file:///srv/carry",
      null,
      "DIRECTORY",
    ],
    [
      "unknown until a worker detects it, for files over HTTP",
      "GENERIC",
      "https://r.example",
      null,
      null,
    ],
    [
      "the configured one also for files over HTTP",
      "GENERIC",
      "https://r.example",
      "WEBDAV",
      "WEBDAV",
    ],
    ["null for a type without a protocol", "NUGET", "https://r.example", null, null],
  ])("the protocol of a linked repository is %s", (_case, type, url, given, resolved) => {
    expect(source(type, url, given)).toBe(resolved);
  });

  test("a batch states the protocol of each registry, and null for hosted repositories and other instances", () => {
    const recordId = listed([image(1)]);
    expect(batchOf(recordId)).toMatchObject({
      source: { protocol: "OCI" },
      target: { protocol: "OCI" },
    });
    db.update(cluster)
      .set({ protocol: "DIRECTORY" })
      .where(eq(cluster.id, clusterId))
      .run();
    const [again] = cutBatches(
      db,
      { recordId, object: 0, clusterId, cut: 1, most: 1 },
      NOW,
    ).batches;
    expect(takeBatch(db, recordId, again?.number ?? 0, NOW)).toMatchObject({
      target: { protocol: "DIRECTORY" },
    });

    addFiles(db, ["/a"], NOW);
    clusterId = addCluster(db, "instance");
    const files = openRun(db, FILES, [clusterId], NOW);
    takePage(db, files, 0, 0, [{ name: "/a", version: "" }], null);
    expect(batchOf(files)).toMatchObject({
      source: { protocol: null },
      target: { protocol: null },
    });
  });
});
