import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Db, openDb } from "../../db/open.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addManyNodes, openRun } from "../rigs/db/planned-run.ts";
import { compared, median, within, type Row } from "./measure.ts";
import type { Bench } from "./rig.ts";

const MANY = 1_000_000;
const FEW = 50_000;
/**
 * Files in each folder: as many in both repositories, so that the rows of a page are equally close
 * together.
 */
const FILES_OF_FOLDER = 100;

/**
 * Measures the processor time of each page of a plan, in a repository of 1,000,000 files and one of 50,000, in turns;
 * in this process, over its own database.
 */
export async function planPages({ say }: Pick<Bench, "say">): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-plan-"));
  const db = openDb(join(directory, "replication.db"));
  try {
    for (const [name, files] of [
      ["many", MANY],
      ["few", FEW],
    ] as const) {
      addRepository(db, "p", name, "GENERIC");
      addManyNodes(db, name, files, { folders: files / FILES_OF_FOLDER });
    }
    say(`${MANY} and ${FEW} files are there`);
    const [many, few] = [planning(db, "many"), planning(db, "few")];
    const pages = { many: [] as number[], few: [] as number[] };
    // The plans take turns. A turn lasts for the whole smaller plan, so that each plan has the
    // database's cache to itself.
    while (!planSome(many, pages.many)) planSome(few, pages.few);
    const total = pages.many.reduce((sum, ms) => sum + ms, 0);
    const [all, last, small] = [pages.many, pages.many.slice(-100), pages.few].map((ms) =>
      median(ms).toFixed(1),
    );
    say(
      `${pages.many.length} pages of ${all} ms; the last hundred ${last} ms, of the few ${small} ms`,
    );
    return [
      compared(
        "a page of the plan of 1,000,000 files, processor time",
        pages.many,
        { name: "of 50,000 files", times: pages.few },
        1.2,
      ),
      within("the whole plan of 1,000,000 files, processor time", total, 30_000),
    ];
  } finally {
    db.$client.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const TURN = 51;

/** Plans up to `TURN` pages, records how long each took, and returns whether the plan is complete. */
function planSome(page: ReturnType<typeof planning>, times: number[]): boolean {
  for (let pages = 0; pages < TURN; pages += 1) {
    const { ms, complete } = page();
    times.push(ms);
    if (complete) return true;
  }
  return false;
}

/** Returns a function that plans one page; it starts a new run when the last one's plan is complete. */
function planning(
  db: Db,
  localRepoName: string,
): () => { ms: number; complete: boolean } {
  const object = { ...FILES, localRepoName };
  const open = () =>
    openRun(
      db,
      object,
      [addCluster(db, `${localRepoName}-${(clusters += 1)}`)],
      Date.now(),
    );
  let recordId = open();
  return () => {
    const begun = process.cpuUsage();
    const complete = planHostedPage(
      db,
      recordId,
      0,
      { ...object, projectId: "p" },
      Date.now(),
    );
    const { user, system } = process.cpuUsage(begun);
    if (complete) recordId = open();
    return { ms: (user + system) / 1000, complete };
  };
}

let clusters = 0;
