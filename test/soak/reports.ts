import { setTimeout as sleep } from "node:timers/promises";
import type { EndName } from "./ends.ts";
import type { World } from "./world.ts";

type Problem = { alert: string; subject: string; message: string };

const LOOK_MS = 1_000;
/** Time in ms within which what is wrong must be reported, and no longer reported once it is not wrong any more. */
const TOLD_WITHIN_MS = 600_000;

/** Problems that must be gone when everything has come to rest; others are told for a time after their end. */
const END_WITH_CAUSE = ["DiskLow", "ContentDamaged", "RunStuck", "WorkersMissing"];

const problemsOf = ({ ends }: World, end: EndName): Promise<Problem[]> =>
  ends[end].product.call<Problem[]>("GET", "/replication/api/system/problems");

/** Looks at the problems of an end until `is` holds for them; returns false after `withinMs`. */
export async function problemsBecome(
  world: World,
  end: EndName,
  is: (problems: Problem[]) => boolean,
  withinMs = TOLD_WITHIN_MS,
): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(LOOK_MS)) {
    const problems = await problemsOf(world, end).catch(() => null);
    if (problems !== null && is(problems)) return true;
  }
  return false;
}

/** Checks all the time that no content is reported as damaged except those that were damaged on purpose. */
export function watchReports(world: World, until: AbortSignal): void {
  const look = async (end: EndName) => {
    for (const { alert, message } of await problemsOf(world, end)) {
      const digest = /sha256:([0-9a-f]{64})/.exec(message)?.[1] ?? "";
      if (alert === "ContentDamaged" && !world.damaged[end].has(digest))
        world.journal.violatedOnce(
          "nothing good is taken for damaged",
          `${end} ${digest}`,
          message,
        );
    }
  };
  void (async () => {
    for (; !until.aborted; await sleep(LOOK_MS))
      for (const end of ["first", "second"] as const)
        await look(end).catch(() => undefined);
  })();
}

/** Checks that nothing is reported any more whose cause has passed. */
export async function reportsEnd(world: World): Promise<void> {
  for (const end of ["first", "second"] as const) {
    let left: Problem[] = [];
    const gone = await problemsBecome(world, end, (problems) => {
      left = problems.filter(({ alert }) => END_WITH_CAUSE.includes(alert));
      return left.length === 0;
    });
    if (!gone)
      world.journal.violated(
        "reports end with their cause",
        `${end}: ${JSON.stringify(left)}`,
      );
  }
}
