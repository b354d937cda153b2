import { setTimeout as sleep } from "node:timers/promises";
import { type EndName, RESERVE } from "./ends.ts";
import { problemsBecome } from "./reports.ts";
import { PROJECT, type World } from "./world.ts";

/** `low`: uploads are refused, the databases have room; `full`: nothing can be written. */
type DiskTrouble = {
  at: number;
  end: EndName;
  kind: "low" | "full";
  ms: number;
};

const TOLD_WITHIN_MS = 90_000;

/** Draws full disks: one or two, each with time to fill and to be emptied. */
export function drawDiskTroubles(random: () => number, lengthMs: number): DiskTrouble[] {
  const draw = (at: number): DiskTrouble => ({
    at,
    end: random() < 0.5 ? "first" : "second",
    kind: random() < 0.5 ? "low" : "full",
    ms: 3_000 + random() * 20_000,
  });
  const all = [draw(lengthMs * (0.05 + random() * 0.2))];
  return random() < 0.5 ? all : [...all, draw(lengthMs * (0.5 + random() * 0.3))];
}

/** Fills the disk of an end until the trouble is over and was reported, and empties it. */
export async function makeDiskTrouble(
  world: World,
  { end, kind, ms }: DiskTrouble,
): Promise<void> {
  const { ends, signals, journal } = world;
  const { disk, product } = ends[end];
  if (disk === null) return;
  journal.count(`${kind} disk`);
  journal.note(`${end}'s disk is ${kind} for ${Math.round(ms / 1000)} s`);
  await signals.disturb(async () => {
    disk.squeeze(kind === "full" ? 0 : RESERVE / 2);
    const over = sleep(ms);
    const told = await problemsBecome(
      world,
      end,
      (problems) => problems.some(({ alert }) => alert === "DiskLow"),
      TOLD_WITHIN_MS,
    );
    if (!told) journal.violated("what is wrong is reported", `${end}'s disk was ${kind}`);
    const refused = await product
      .upload(PROJECT, "live", "/refused.bin", Buffer.alloc(RESERVE / 4))
      .then(() => "it was accepted", String);
    journal.count(/ 507 .*DISK_RESERVE/.test(refused) ? "507" : "other refusals");
    if (!/ 507 |fetch failed/.test(refused))
      journal.violated(
        "a full disk is said to uploaders",
        `${end}, ${kind}: ${refused.slice(0, 300)}`,
      );
    await over;
    disk.widen();
  });
  journal.note(`${end}'s disk has room again`);
}
