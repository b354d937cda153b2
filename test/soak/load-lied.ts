import { setTimeout as sleep } from "node:timers/promises";
import type { RecordInfo } from "../rigs/runs/run-fixture.ts";
import { files, images, type LiedKind, npm } from "./lied-kinds.ts";
import { statusOf } from "./listings.ts";
import type { World } from "./world.ts";

export type Lied = Pick<LiedKind, "name" | "task" | "ways" | "wanted" | "found"> & {
  /** Whether an operator was told something of the task since the last call. */
  wasTold: () => boolean;
  /** Stops changes and executions; resolves once those under way have ended. */
  pause: () => Promise<void>;
  resume: () => void;
};

const EXECUTED_AFTER_MS = 4_000;

export async function startLied(world: World, until: AbortSignal): Promise<Lied[]> {
  const kinds = [await files(world), await images(world), await npm(world)];
  return kinds.map((kind) => startOne(world, kind, until));
}

function startOne(
  world: World,
  { everyMs, change, ...kind }: LiedKind,
  until: AbortSignal,
): Lied {
  const { product, journal } = world;
  let [paused, told] = [false, false];
  let [changing, executing] = [Promise.resolve(), Promise.resolve()];
  const changeOnce = () =>
    journal.persist(`a change of ${kind.name}`, change).catch(() => undefined);
  const executeOnce = async () => {
    const record = await product.newestRecord(kind.task);
    if (record?.status === "RUNNING") told ||= record.waitingFor !== null;
    else if (record !== undefined) {
      told ||= await judgeEnded(world, kind, record);
      await product.execute(kind.task);
      journal.count(`executions of ${kind.name}`);
    }
  };
  void (async () => {
    for (; !until.aborted; await sleep(everyMs))
      if (!paused) await (changing = changeOnce());
  })();
  void (async () => {
    for (; !until.aborted; await sleep(EXECUTED_AFTER_MS))
      if (!paused) await (executing = executeOnce().catch(() => undefined));
  })();
  return {
    ...kind,
    wasTold() {
      const was = told;
      told = false;
      return was;
    },
    async pause() {
      paused = true;
      await Promise.all([changing, executing]);
    },
    resume: () => void (paused = false),
  };
}

/** Checks that a run that failed says why, in its record or in each failed detail; returns whether it failed. */
async function judgeEnded(
  { product, journal }: World,
  { name }: Pick<Lied, "name">,
  record: RecordInfo,
): Promise<boolean> {
  journal.count(`${name}: runs that ended ${record.status}`);
  if (record.status !== "FAILED") return false;
  const rows = await product.details(record.id);
  const silent = rows.find(
    ({ status, errorReason }) => status === "FAILED" && errorReason === null,
  );
  if (silent !== undefined || (rows.length === 0 && record.errorReason === null))
    journal.violatedOnce(
      "a run that failed says why",
      record.id,
      `${name}: ${statusOf(record)} ${JSON.stringify(silent)}`,
    );
  return true;
}

/** Number of lies that bite for sure. */
const ENOUGH = 5;

/** Checks that lies were reported (`before`: how many of each way were told until then), and gave away no login. */
export function judgeLies(
  { journal, lied, elsewhere }: World,
  { name, ways, wasTold }: Lied,
  before: readonly number[],
): void {
  const lies = ways.map((way, at) => lied[way] - (before[at] ?? 0));
  if (!wasTold() && Math.max(...lies) >= ENOUGH)
    journal.violated("what is wrong is reported", `${name}: ${lies.join(" and ")} lies`);
  for (const login of elsewhere.logins.splice(0))
    journal.violated("no login goes elsewhere", login);
}
