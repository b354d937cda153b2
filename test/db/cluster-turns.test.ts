import { and, eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cutInTurn } from "../../activities/control/cut-in-turn.ts";
import { createListings } from "../../activities/control/listings.ts";
import { createPaces, type Paces } from "../../activities/control/paces.ts";
import { createTurns, type Turns } from "../../activities/control/turns.ts";
import type { Db } from "../../db/open.ts";
import { takeBatch } from "../../db/runs/batch.ts";
import { openBatches } from "../../db/runs/cut-lanes.ts";
import { type MustYield, takeReports } from "../../db/runs/outcomes.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { dispatch } from "../../db/schema/plans.ts";
import {
  MOST_OPEN,
  MOST_OPEN_SLOW,
  MOST_QUICK,
  OVERSTAYED_MS,
  SLOTS,
  SLOW_MS,
  SLOW_SHARE,
} from "../../domain/lanes.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles, openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

/** More files than fit into the slots kept for small runs, and enough for many batches. */
const MANY = 2_000;

const time = { now: Date.parse("2030-01-01T00:00:00Z") };
let db: Db;
let paces: Paces;
let turns: Turns;
let woken: string[];

beforeEach(() => {
  db = openTestDb();
  addRepository(db, "p", "files", "GENERIC");
  addRepository(db, "p", "few", "GENERIC");
  addFiles(
    db,
    Array.from({ length: MANY }, (_, at) => `/file-${at}`),
    time.now,
  );
  woken = [];
  paces = createPaces(() => time.now);
  turns = createTurns({
    db,
    paces,
    workers: () => 2,
    wake: (workflowId) => woken.push(workflowId),
    now: () => time.now,
    ticks: () => time.now,
  });
});
afterEach(() => removeTestDb(db));

type Run = { recordId: string; clusterId: string; cut: number; id: string };

/** Opens and plans a run of all files to one cluster; `pattern`: only of the files that match. */
function begin(clusterId: string, pattern?: string): Run {
  const object =
    pattern === undefined ? FILES : { ...FILES, pathConstraints: [{ path: pattern }] };
  const recordId = openRun(db, object, [clusterId], time.now);
  while (!planHostedPage(db, recordId, 0, { ...object, projectId: "p" }, time.now));
  return { recordId, clusterId, cut: 0, id: `run of ${recordId}` };
}

const cut = (run: Run, most = 8) =>
  cutInTurn(
    db,
    turns,
    {
      recordId: run.recordId,
      object: 0,
      clusterId: run.clusterId,
      cut: (run.cut += 1),
      most,
    },
    { workflowId: run.id, waits: true },
    time.now,
  );

/**
 * Takes a batch and hands it back without any outcome, as a worker does when its time is over; returns
 * how many artifacts are left.
 */
function handIn(run: Run, number: number, interrupted = false): number {
  const batch = takeBatch(db, run.recordId, number, time.now, paces.isSlow);
  if (batch.kind !== "batch") throw new Error(JSON.stringify(batch));
  const { rest = 0 } = takeReports(
    db,
    {
      recordId: run.recordId,
      number,
      epoch: batch.epoch,
      reports: [],
      done: { interrupted },
    },
    60_000,
    time.now,
  );
  return rest;
}

const mustYield: MustYield = ({ lane, ...batch }) =>
  lane === "QUICK" ? batch.ends.some(paces.isSlow) : turns.isExcess(batch);
const open = (clusterId: string, lane = "SHARED") =>
  openBatches(db)
    .filter((row) => row.clusterId === clusterId && row.lane === lane)
    .reduce((sum, { n }) => sum + n, 0);

describe("the open batches of a cluster", () => {
  test("a cluster's open batches are limited over all runs, and a waiting run is woken when a batch ends", () => {
    const clusterId = addCluster(db, "busy");
    const [first, second, third] = [begin(clusterId), begin(clusterId), begin(clusterId)];
    const begun = cut(first);
    cut(second);
    expect(open(clusterId)).toBe(MOST_OPEN);
    expect(cut(third)).toMatchObject({ batches: [], left: true, due: time.now + 60_000 });
    handIn(first, begun.batches[0]?.number ?? 0);
    turns.freed();
    expect(woken).toEqual([third.id]);
    expect(cut(first, 1).batches).toEqual([]);
    expect(cut(third).batches).toHaveLength(1);
    expect(open(clusterId)).toBe(MOST_OPEN);
  });

  test("slow clusters get few batches each and a share of all slots, and a quick cluster still gets 8 batches", () => {
    const slow = Array.from({ length: 40 }, (_, at) => addCluster(db, `slow-${at}`));
    for (const end of slow) paces.note(end, SLOW_MS);
    for (const end of slow) cut(begin(end));
    expect(Math.max(...slow.map((end) => open(end)))).toBe(MOST_OPEN_SLOW);
    expect(openBatches(db).reduce((sum, { n }) => sum + n, 0)).toBe(
      2 * SLOTS.SHARED * SLOW_SHARE,
    );
    expect(cut(begin(addCluster(db, "quick"))).batches).toHaveLength(8);
  });

  test("when a cluster becomes slow, workers hand back its batches beyond the lower limit and keep the others", () => {
    const clusterId = addCluster(db, "turning");
    const runs = [begin(clusterId), begin(clusterId)];
    const taken = runs.flatMap((run) =>
      cut(run).batches.map(({ number }) => ({
        run,
        number,
        batch: takeBatch(db, run.recordId, number, time.now),
      })),
    );
    paces.note(clusterId, SLOW_MS);
    const told = taken.filter(({ run, number, batch }) => {
      const report = {
        recordId: run.recordId,
        number,
        epoch: batch.kind === "batch" ? batch.epoch : 0,
        reports: [],
      };
      return takeReports(db, report, 60_000, time.now, mustYield).handBack;
    });
    expect(told).toHaveLength(MOST_OPEN - MOST_OPEN_SLOW);
  });

  test("a cluster counts as slow when workers hold its batches much longer than their time slice", () => {
    const clusterId = addCluster(db, "stuck");
    const [first, second] = [begin(clusterId), begin(clusterId)];
    for (const { number } of cut(first).batches)
      takeBatch(db, first.recordId, number, time.now);
    time.now += OVERSTAYED_MS + 1;
    expect(cut(second)).toMatchObject({ batches: [], left: true });
  });

  test("when all slots are taken, freed slots go to the waiting clusters in turn", () => {
    const clusters = Array.from({ length: 12 }, (_, at) =>
      addCluster(db, `cluster-${at}`),
    );
    const runs = clusters.map((clusterId) => [begin(clusterId), begin(clusterId)]).flat();
    const cuts = runs.map((run) => ({ run, ...cut(run) }));
    const waiting = cuts
      .filter(({ batches }) => batches.length < 8)
      .map(({ run }) => run);
    expect(waiting.length).toBeGreaterThan(4);
    for (const { run, batches } of cuts.slice(0, 1))
      for (const { number } of batches) handIn(run, number);
    turns.freed();
    const served = woken.map((id) => waiting.find((run) => run.id === id)?.clusterId);
    expect(served.slice(0, 4).length).toBe(new Set(served.slice(0, 4)).size);
  });
});

describe("the batches of small runs", () => {
  test("a small batch gets a quick slot even if its cluster has its maximum of shared batches open", () => {
    const clusterId = addCluster(db, "busy");
    paces.note(clusterId, 20);
    cut(begin(clusterId));
    cut(begin(clusterId));
    expect(open(clusterId)).toBe(MOST_OPEN);
    expect(cut(begin(clusterId, "/file-1"))).toMatchObject({
      batches: [{ lane: "QUICK" }],
      left: false,
    });
  });

  test("a quick cluster gets a few quick slots at once, an unknown cluster one, and a slow cluster none", () => {
    const [quick, unknown, slow] = [
      addCluster(db, "quick"),
      addCluster(db, "unknown"),
      addCluster(db, "slow"),
    ];
    paces.note(quick, 20);
    paces.note(slow, SLOW_MS);
    for (const clusterId of [quick, unknown, slow])
      for (let runs = 0; runs < 6; runs += 1) cut(begin(clusterId, "/file-1"));
    expect([quick, unknown, slow].map((end) => open(end, "QUICK"))).toEqual([
      MOST_QUICK,
      1,
      0,
    ]);
    expect(open(slow)).toBe(MOST_OPEN_SLOW);
  });

  test("small batches of a cluster that becomes slow are handed back and continue in shared slots", () => {
    const clusterId = addCluster(db, "turning");
    paces.note(clusterId, 20);
    const [early, late] = [begin(clusterId, "/file-1"), begin(clusterId, "/file-2")];
    const [[taken], [queued]] = [cut(early).batches, cut(late).batches];
    const batch = takeBatch(
      db,
      early.recordId,
      taken?.number ?? 0,
      time.now,
      paces.isSlow,
    );
    paces.note(clusterId, SLOW_MS);
    expect(
      takeBatch(db, late.recordId, queued?.number ?? 0, time.now, paces.isSlow),
    ).toEqual({ kind: "done" });
    const epoch = batch.kind === "batch" ? batch.epoch : 0;
    const report = {
      recordId: early.recordId,
      number: taken?.number ?? 0,
      epoch,
      reports: [],
    };
    expect(takeReports(db, report, 60_000, time.now, mustYield)).toMatchObject({
      stop: null,
      handBack: true,
    });
    expect(
      takeReports(
        db,
        { ...report, done: { interrupted: true } },
        60_000,
        time.now,
        mustYield,
      ),
    ).toMatchObject({
      rest: 1,
    });
    for (const run of [early, late]) {
      const [again] = cut(run).batches;
      expect(again?.lane).toBeUndefined();
      expect(takeBatch(db, run.recordId, again?.number ?? 0, time.now)).toMatchObject({
        kind: "batch",
        lane: "SHARED",
        artifacts: [{}],
      });
    }
  });
});

describe("artifacts that a batch had no time for", () => {
  test("artifacts that a batch had no time for are handed out again at once, only once, with the same tries", () => {
    const clusterId = addCluster(db, "target");
    const run = begin(clusterId);
    const [first, ...others] = cut(run).batches;
    const planned = (number: number) =>
      db
        .select()
        .from(dispatch)
        .where(and(eq(dispatch.recordId, run.recordId), eq(dispatch.number, number)))
        .get();
    expect(handIn(run, first?.number ?? 0)).toBe(MANY / 8);
    expect(takeBatch(db, run.recordId, first?.number ?? 0, time.now)).toEqual({
      kind: "done",
    });
    const [again] = cut(run, 1).batches;
    const old = planned(first?.number ?? 0);
    expect(planned(again?.number ?? 0)).toMatchObject({
      fromSeq: old?.fromSeq,
      toSeq: old?.toSeq,
      epoch: 0,
      lane: "SHARED",
    });
    expect(cut(run, 1)).toMatchObject({ batches: [], left: false });
    expect(others).toHaveLength(7);
  });

  test("the next worker of an interrupted batch learns that the artifacts may already be at the target", () => {
    const run = begin(addCluster(db, "target"));
    const [first] = cut(run, 1).batches;
    handIn(run, first?.number ?? 0, true);
    const [again] = cut(run, 1).batches;
    expect(takeBatch(db, run.recordId, again?.number ?? 0, time.now)).toMatchObject({
      epoch: 2,
    });
  });
});

test("slow linked repositories get few listings at a time, and quick ones all their listings at once", () => {
  const listings = createListings(paces, () => 2, {
    ticks: () => time.now - 1_700_000_000_000,
    now: () => time.now,
  });
  for (let at = 0; at < 40; at += 1) paces.note(`p/quick-${at}`, 20);
  for (let at = 0; at < 40; at += 1)
    expect(listings.begin(`p/quick-${at}`, `run/${at}`)).toBeNull();
  paces.note("p/slow", SLOW_MS);
  expect([1, 2, 3].map((at) => listings.begin("p/slow", `slow/${at}`))).toEqual([
    null,
    null,
    time.now + 10_000,
  ]);
  listings.end("slow/1");
  expect(listings.begin("p/slow", "slow/3")).toBeNull();
});
