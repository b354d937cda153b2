import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { isAlive } from "../rigs/runs/instance.ts";
import type { End } from "./ends.ts";
import type { World } from "./world.ts";

/**
 * Checks the logs of the supervisors: only processes that this test killed may end, and the supervisors must be
 * running.
 */
export function createCrashCheck({ ends, signals, journal }: World): () => void {
  const all = Object.values(ends).map((end) => ({
    end,
    lines: createTail(end.log),
    killed: new Map<string, number>(),
  }));

  function judge(end: End, line: string, killed: Map<string, number>): void {
    const { level = 0, msg = "" } = parsed(line);
    if (level >= 50) journal.count(`error lines of ${end.name}`);
    if (/^(Error|[A-Za-z]*Error:|Uncaught|node:internal\/process)/.test(line))
      journal.violatedOnce(
        "nothing crashes",
        line.slice(0, 200),
        `printed by ${end.name}`,
      );
    const [, name = "", how = ""] =
      /^(.+) ended \((.+)\); starting it again$/.exec(msg) ?? [];
    if (name === "") return;
    const kind = name.replace(/ \d+$/, "");
    killed.set(kind, (killed.get(kind) ?? 0) + 1);
    const ours =
      how === "SIGKILL" && (killed.get(kind) ?? 0) <= signals.kills(end.name, kind);
    if (ours) return;
    // Temporal's server ends when it cannot write; docs/disk.md says that it is started again.
    if (kind === "temporal" && end.disk?.wasSqueezed() === true)
      journal.count("Temporal ended by itself on a full disk");
    else journal.violated("nothing crashes", `${end.name}'s ${name} ended: ${how}`);
  }

  return () => {
    for (const { end, lines, killed } of all) {
      for (const line of lines()) judge(end, line, killed);
      const pid = signals.pidOf({ end: end.name, process: "supervisor", number: 0 });
      if (pid === null && !signals.isRestarting(end.name))
        journal.violatedOnce("nothing crashes", `${end.name}'s supervisor`, "is gone");
      else if (pid !== null && !isAlive(pid))
        journal.note(`${end.name}'s supervisor ${pid} ended just now`);
    }
  };
}

function parsed(line: string): { level?: number; msg?: string } {
  try {
    return JSON.parse(line) as { level: number; msg: string };
  } catch {
    return {};
  }
}

/** Returns a function that reads the complete lines added to a file since the last call. */
function createTail(file: string): () => string[] {
  let position = 0;
  let rest = "";
  return () => {
    if (!existsSync(file)) return [];
    const bytes = Buffer.alloc(statSync(file).size - position);
    const descriptor = openSync(file, "r");
    const read = readSync(descriptor, bytes, 0, bytes.length, position);
    closeSync(descriptor);
    position += read;
    const lines = (rest + bytes.subarray(0, read).toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    return lines;
  };
}
