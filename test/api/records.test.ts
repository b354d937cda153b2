import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeRecord } from "../../db/runs/close.ts";
import { setProblem } from "../../db/runs/problems.ts";
import { addDetails, addRecord, endRecord, setPlanned } from "../rigs/db/rows.ts";
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

describe("an execution", () => {
  test("an execution is answered with its task's type, and with artifact counts and bytes that add up", async () => {
    const id = addRecord(api.db, key, api.time.now);
    setPlanned(api.db, id, 2, 50);
    addDetails(api.db, [
      {
        recordId: id,
        clusterId: INSTANCE,
        artifactName: "/sent",
        size: 10,
        nodeSuccess: 1,
        blobSuccess: 1,
      },
      {
        recordId: id,
        clusterId: INSTANCE,
        artifactName: "/same",
        seq: 2,
        size: 20,
        skip: true,
        nodeSkip: 1,
      },
      {
        recordId: id,
        clusterId: REGISTRY,
        artifactName: "/replaced",
        size: 10,
        conflict: true,
        conflictStrategy: "OVERWRITE",
        nodeSuccess: 1,
      },
      {
        recordId: id,
        clusterId: REGISTRY,
        artifactName: "/failed",
        seq: 2,
        status: "FAILED",
        nodeFailed: 1,
        errorReason: "no",
      },
    ]);
    // The task has three objects, each planned with 2 artifacts and 50 bytes, and two clusters.
    expect(await get(id)).toEqual({
      replicaObjectType: "REPOSITORY",
      replicaType: "SCHEDULED",
      record: {
        id,
        taskKey: key,
        workflowId: expect.stringMatching(new RegExp(`^repl/.+/${key}/${id}$`)),
        status: "RUNNING",
        startTime: "2030-01-01T08:00:00.000",
        endTime: null,
        errorReason: null,
        problem: null,
        waitingFor: null,
        replicatedBytes: 40,
        totalBytes: 300,
        bytesRead: 0,
        replicaOverview: {
          success: 3,
          failed: 1,
          conflict: 1,
          fileSuccess: 2,
          fileFailed: 1,
          planned: 12,
          skip: 1,
          notDone: 8,
        },
      },
    });
    expect(await get(`overview/${id}`)).toEqual({
      success: 3,
      failed: 1,
      conflict: 1,
      fileSuccess: 2,
      fileFailed: 1,
      planned: 12,
      skip: 1,
      notDone: 8,
    });
  });

  test("every answer about an execution names the problem that blocks its run, until the run ends", async () => {
    const id = addRecord(api.db, key, api.time.now);
    setProblem(api.db, id, "its code fails");
    const answered = [
      ((await get(id)) as { record: Row }).record,
      ...((await get(`list/${key}`)) as Row[]),
      ...(await pageOf(`page/${key}`)).records,
    ];
    expect(answered.map(({ problem }) => problem)).toEqual([
      "its code fails",
      "its code fails",
      "its code fails",
    ]);
    await closeRecord(api.db, id, "stopped by admin", () => api.time.now);
    setProblem(api.db, id, "too late");
    expect(await get(id)).toMatchObject({
      record: { status: "FAILED", errorReason: "stopped by admin", problem: null },
    });
  });

  test("a running execution says which part of the service it waits for, in the client's language", async () => {
    const id = addRecord(api.db, key, api.time.now);
    const waitingFor = async (path: string, language = "en") => {
      const headers = { "accept-language": language };
      const { data } = await api.call("GET", `${RECORD}/${path}`, { headers });
      return JSON.stringify(data);
    };
    api.away.push({ kind: "worker" });
    for (const path of [id, `list/${key}`, `page/${key}`])
      expect(await waitingFor(path)).toContain(
        '"waitingFor":"No transfer worker is connected: set TRANSFER_WORKERS',
      );
    api.away.push({ kind: "orchestrator" });
    expect(await waitingFor(id)).toContain(
      "`npm run worker`. It waits for 2 other things, too.",
    );
    expect(await waitingFor(id, "zh")).toContain("没有已连接的传输进程");
    endRecord(api.db, id, "FAILED", api.time.now);
    expect(await waitingFor(id)).toContain('"waitingFor":null');
  });

  test("an unknown execution is refused, its overview is null, and its list of details is empty", async () => {
    expect(await api.call("GET", `${RECORD}/nope`)).toMatchObject({
      status: 400,
      code: 250310,
    });
    expect(await api.call("GET", `${RECORD}/overview/nope`)).toMatchObject({
      status: 200,
      code: 0,
      data: null,
    });
    expect(await get("detail/list/nope")).toEqual([]);
    expect(await get("detail/page/nope")).toMatchObject({
      records: [],
      totalRecords: 0,
      totalPages: 0,
    });
    expect(await get("list/nope")).toEqual([]);
  });
});

describe("executions of a task", () => {
  let ids: string[];
  beforeEach(() => {
    ids = Array.from({ length: 450 }, (_, i) => {
      // Seven executions each begin in the same millisecond.
      const id = addRecord(api.db, key, api.time.now + Math.floor(i / 7));
      endRecord(
        api.db,
        id,
        i % 3 === 0 ? "FAILED" : "SUCCESS",
        api.time.now,
        i % 3 === 0 ? "it broke" : null,
      );
      return id;
    });
  });

  test("executions of a task are listed newest first, each of them once", async () => {
    const rows = (await get(`list/${key}`)) as Row[];
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(ids));
    const times = rows.map(({ startTime }) => String(startTime));
    expect(times).toEqual(times.toSorted().toReversed());
    expect(rows.find(({ status }) => status === "FAILED")).toMatchObject({
      errorReason: "it broke",
      endTime: "2030-01-01T08:00:00.000",
      replicaOverview: { success: 0 },
    });
    expect(rows.find(({ status }) => status === "SUCCESS")).toMatchObject({
      errorReason: null,
    });
  });

  test("executions of a task are paged and filtered by status, also under the older path", async () => {
    const pages = await Promise.all(
      [0, 1, 2, 3].map((n) => pageOf(`page/${key}?pageNumber=${n}&pageSize=200`)),
    );
    expect(pages.map(({ records }) => records.length)).toEqual([200, 200, 200, 50]);
    expect(pages[1]).toMatchObject({
      totalRecords: 450,
      count: 450,
      totalPages: 3,
      page: 1,
    });
    expect(
      new Set(pages.slice(1).flatMap(({ records }) => records.map(({ id }) => id))).size,
    ).toBe(450);
    const failed = await pageOf(`page/${key}?status=FAILED&pageSize=1000`);
    expect([
      failed.totalRecords,
      new Set(failed.records.map(({ status }) => status)),
    ]).toEqual([150, new Set(["FAILED"])]);
    expect(await get(`detail/page/${key}?status=FAILED&pageSize=1000`)).toEqual(failed);
  });
});
