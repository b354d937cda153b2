import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessName } from "../rigs/runs/instance.ts";
import type { Victim } from "./signals.ts";
import type { EndName } from "./ends.ts";
import type { World } from "./world.ts";

type ProcessTrouble =
  | { at: number; kind: "kill"; victim: Victim }
  | { at: number; kind: "freeze"; victim: Victim; ms: number }
  | { at: number; kind: "registry"; awayMs: number }
  | { at: number; kind: "restart"; signal: "SIGTERM" | "SIGKILL" };

const PROCESSES: ProcessName[] = [
  "supervisor",
  "control",
  "orchestrator",
  "worker",
  "temporal",
];
const LONGEST_FREEZE_MS = 60_000;

/**
 * Draws random troubles of processes: mostly kills, then freezes, now and then the registry or a restart of everything.
 */
export function drawProcessTroubles(
  random: () => number,
  lengthMs: number,
): ProcessTrouble[] {
  const troubles: ProcessTrouble[] = [];
  for (let at = 2_000 + random() * 4_000; at < lengthMs; at += 2_000 + random() * 9_000)
    troubles.push(drawOne(random, at, lengthMs));
  return troubles;
}

function drawOne(random: () => number, at: number, lengthMs: number): ProcessTrouble {
  const [kind, which, end, number, length] = [
    random(),
    random(),
    random(),
    random(),
    random(),
  ];
  const process = PROCESSES[Math.floor(which * PROCESSES.length)] ?? "control";
  // Only the first instance has a Temporal server.
  const victim: Victim = {
    end: process === "temporal" || end < 0.65 ? "first" : "second",
    process,
    number: Math.floor(number * 64),
  };
  if (kind < 0.55) return { at, kind: "kill", victim };
  if (kind < 0.86)
    return {
      at,
      kind: "freeze",
      victim,
      ms: Math.min(
        2_000 + length ** 2 * LONGEST_FREEZE_MS,
        LONGEST_FREEZE_MS,
        Math.max(2_000, lengthMs - at),
      ),
    };
  if (kind < 0.93) return { at, kind: "registry", awayMs: 2_000 + length * 8_000 };
  return { at, kind: "restart", signal: length < 0.5 ? "SIGTERM" : "SIGKILL" };
}

/** Carries out a process trouble; resolves when the next trouble may follow. */
export async function makeProcessTrouble(
  world: World,
  trouble: ProcessTrouble,
): Promise<void> {
  const { signals, journal, target } = world;
  switch (trouble.kind) {
    case "freeze":
      if (!signals.freeze(trouble.victim, trouble.ms))
        journal.note(`no ${trouble.victim.process} to freeze at ${trouble.victim.end}`);
      return;
    case "registry":
      journal.note(
        `the target registry is killed, and away for ${Math.round(trouble.awayMs / 1000)} s`,
      );
      journal.count("registry killed");
      await target.kill();
      await sleep(trouble.awayMs);
      return target.restart();
    case "restart":
      if (isFull(world, "first") || isFull(world, "second"))
        return journal.note("no restart, because a full disk refuses the start");
      return restartEverything(world, trouble.signal);
    case "kill":
      if (trouble.victim.process === "supervisor") {
        if (isFull(world, trouble.victim.end))
          return journal.note("no restart, because a full disk refuses the start");
        return killSupervisor(world, trouble.victim.end);
      }
      if (!signals.kill(trouble.victim))
        journal.note(`no ${trouble.victim.process} to kill at ${trouble.victim.end}`);
  }
}

const isFull = ({ ends }: World, end: EndName): boolean =>
  ends[end].disk?.isSqueezed() === true;

async function killSupervisor(
  { ends, signals, journal }: World,
  end: EndName,
): Promise<void> {
  await signals.restart([end], async () => {
    signals.kill({ end, process: "supervisor", number: 0 });
    await ends[end].instance.restart().catch((error: unknown) => {
      journal.violated(
        "everything is ready again",
        `${end}: ${String(error).slice(-600)}`,
      );
      return ends[end].instance.restart();
    });
  });
}

async function restartEverything(
  { ends, signals, journal }: World,
  signal: "SIGTERM" | "SIGKILL",
): Promise<void> {
  const both: EndName[] = ["first", "second"];
  journal.note(`restart of everything by ${signal}`);
  journal.count("restart of everything");
  await signals.restart(both, async () => {
    for (const end of both) {
      const pid = signals.pidOf({ end, process: "supervisor", number: 0 });
      // A frozen supervisor does not react to SIGTERM.
      if (pid !== null) signals.thaw(pid);
    }
    const how = await Promise.all(both.map((end) => ends[end].instance.stop(signal)));
    if (signal === "SIGTERM" && how.some((end) => end !== "0"))
      journal.violated("SIGTERM ends everything in order", how.join(", "));
    await Promise.all(both.map((end) => ends[end].instance.restart()));
  });
  journal.note("everything runs again");
}
