import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { takeBatch } from "../../db/runs/batch.ts";
import { closeRecord } from "../../db/runs/close.ts";
import { grantCompareRead } from "../../db/runs/compare-reads.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { takeReports } from "../../db/runs/outcomes.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import {
  type ArtifactOutcome,
  type ArtifactResult,
  noParts,
} from "../../domain/outcome.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { addCluster, addRecord, addRepository } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles } from "../rigs/db/planned-run.ts";
import { readSeries, valueOf } from "../rigs/runs/metrics-fixture.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const MINUTE = 60_000;
const SENT: ArtifactResult = { kind: "sent" };
const AGAIN: ArtifactResult = {
  kind: "again",
  reason: "503",
  notBefore: null,
  uploads: [],
  throttled: false,
};

let time: number;
let api: TestApi;
let clusterId: string;
beforeEach(() => {
  time = NOW;
  api = createTestApi({ now: () => time });
  addRepository(api.db, "p", "files", "GENERIC");
  clusterId = addCluster(api.db, "far");
});
afterEach(() => api.close());

/** Opens a run of a task that is created through the API with this setting. */
async function run(
  setting: object = {},
  name = "compared",
): Promise<{ key: string; recordId: string }> {
  const body = {
    name,
    localProjectId: "p",
    replicaObjectType: "REPOSITORY",
    replicaTaskObjects: [{ localRepoName: "files", repoType: "GENERIC" }],
    setting,
    remoteClusterIds: [clusterId],
  };
  const { key } = (await api.call("POST", "/replication/api/task/create", { body }))
    .data as { key: string };
  return { key, recordId: addRecord(api.db, key, time) };
}

/** Opens and plans a run of the one file /a. */
async function planned(): Promise<string> {
  addFiles(api.db, ["/a"], time);
  const { recordId } = await run();
  while (!planHostedPage(api.db, recordId, 0, { ...FILES, projectId: "p" }, time));
  return recordId;
}

/** Cuts and takes the next batch of /a and reports the outcome, `times` times. */
function attempt(
  recordId: string,
  cut: number,
  more: Partial<ArtifactOutcome> & { result: ArtifactResult },
  times = 1,
): void {
  const number =
    cutBatches(api.db, { recordId, object: 0, clusterId, cut, most: 1 }, time).batches[0]
      ?.number ?? 0;
  const batch = takeBatch(api.db, recordId, number, time);
  if (batch.kind !== "batch") throw new Error(`the batch is ${batch.kind}`);
  const outcome: ArtifactOutcome = {
    digest: null,
    size: 10,
    parts: noParts(),
    bytesSent: 10,
    ...more,
  };
  const report = {
    seq: 1,
    name: "/a",
    version: "",
    sizePlanned: true,
    size: 10,
    startTime: time,
    bytesSent: 10,
    uploads: [],
    outcome,
  };
  for (let said = 0; said < times; said += 1)
    takeReports(
      api.db,
      { recordId, number, epoch: batch.epoch, reports: [report] },
      10 * MINUTE,
      time,
    );
  takeReports(
    api.db,
    { recordId, number, epoch: batch.epoch, reports: [], done: { interrupted: false } },
    10 * MINUTE,
    time,
  );
}

const detail = async (recordId: string) =>
  (
    (await api.call("GET", `/replication/api/task/record/detail/list/${recordId}`))
      .data as Record<string, unknown>[]
  )[0];
const bytesRead = async (recordId: string) =>
  (
    (await api.call("GET", `/replication/api/task/record/${recordId}`)).data as {
      record: { bytesRead: number };
    }
  ).record.bytesRead;

describe("the comparison and verification of an artifact", () => {
  test("a detail shows how its artifact was compared and verified, as the worker reported it", async () => {
    const recordId = await planned();
    attempt(recordId, 1, {
      result: { kind: "replaced" },
      compared: "SIZE",
      verified: "READ_BACK",
      note: "yanks cannot be kept there",
      bytesRead: 10,
    });
    expect(await detail(recordId)).toMatchObject({
      status: "SUCCESS",
      compared: "SIZE",
      verified: "READ_BACK",
      note: "yanks cannot be kept there",
    });
    const page = (
      await api.call("GET", `/replication/api/task/record/detail/page/${recordId}`)
    ).data as {
      records: object[];
    };
    expect(page.records).toMatchObject([{ compared: "SIZE", verified: "READ_BACK" }]);
  });

  test("a detail shows no comparison and no verification when an older worker reports none", async () => {
    const recordId = await planned();
    attempt(recordId, 1, { result: SENT });
    expect(await detail(recordId)).toMatchObject({
      status: "SUCCESS",
      compared: null,
      verified: null,
      note: null,
    });
    expect(await bytesRead(recordId)).toBe(0);
  });

  test("a detail shows the last attempt's verification, and a record counts all attempts' bytes read", async () => {
    const recordId = await planned();
    attempt(recordId, 1, { result: AGAIN, compared: "READ", bytesRead: 300 }, 2);
    expect(await bytesRead(recordId)).toBe(300);
    time += 5 * MINUTE;
    attempt(recordId, 2, { result: SENT, verified: "DIGEST", bytesRead: 20 }, 2);
    expect(await detail(recordId)).toMatchObject({
      status: "SUCCESS",
      compared: null,
      verified: "DIGEST",
    });
    expect(await bytesRead(recordId)).toBe(320);
  });

  test("metrics count bytes read at the target, during the run and after it", async () => {
    const recordId = await planned();
    attempt(recordId, 1, { result: SENT, bytesRead: 25 });
    const checked = async () => {
      time += MINUTE;
      const series = readSeries((await api.call("GET", "/metrics")).text);
      const read = (labels: Record<string, string>) =>
        valueOf(series, "replication_read_bytes_total", labels);
      return [
        read({ cluster: "far", purpose: "check" }),
        read({ cluster: "center", purpose: "copy" }),
      ];
    };
    expect(await checked()).toEqual([25, 10]);
    await closeRecord(api.db, recordId, null, () => time);
    expect(await checked()).toEqual([25, 10]);
  });
});

describe("permission to read at a cluster to compare", () => {
  const grant = (recordId: string, bytes: number, at = clusterId) =>
    grantCompareRead(api.db, { recordId, clusterId: at, bytes });

  test("under compare AUTO contents may be read to compare them, up to the limit of the run and cluster", async () => {
    const { recordId } = await run({ compareReadLimit: 100 });
    expect([
      grant(recordId, 60),
      grant(recordId, 41),
      grant(recordId, 40),
      grant(recordId, 1),
    ]).toEqual([true, false, true, false]);
    expect(grant(recordId, 100, addCluster(api.db, "near"))).toBe(true);
    expect(grant((await run({ compareReadLimit: 100 }, "another")).recordId, 100)).toBe(
      true,
    );
  });

  test("under compare READ contents may always be read, and under SIZE or for a deleted run never", async () => {
    const { recordId } = await run({ compare: "READ", compareReadLimit: 1 });
    expect(grant(recordId, 1_000)).toBe(true);
    expect(grant((await run({ compare: "SIZE" }, "by size")).recordId, 1)).toBe(false);
    expect(grant("f".repeat(24), 1)).toBe(false);
  });
});
