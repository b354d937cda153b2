import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import { readHistories } from "../../rigs/runs/run-histories.ts";
import type { SavedHistory } from "./releases.ts";
import { shapeOf } from "./shape.ts";

/**
 * Opens the folder for the histories of a release. Refuses a folder with histories, unless `again`: then the old
 * histories of a name are deleted when its new ones are saved.
 */
export function createFolder(release: string, { again }: { again: boolean }) {
  const folder = join(import.meta.dirname, release);
  if (!again && existsSync(folder) && readdirSync(folder).length > 0) {
    throw new Error(
      `${folder} has histories: name the next release in releases.ts, or use --again to record this one anew.`,
    );
  }
  mkdirSync(folder, { recursive: true });

  /** Writes the histories of a workflow, its children and their continued runs: one file for each shape (shape.ts). */
  function write(name: string, histories: readonly SavedHistory["history"][]): void {
    for (const file of readdirSync(folder))
      if (file.startsWith(`${name}.`)) rmSync(join(folder, file));
    const numbers = new Map<string, number>();
    const shapes = new Set<string>();
    for (const history of histories) {
      const { type, features } = shapeOf({ release, name, history });
      const shape = [type, ...[...features].toSorted()].join();
      if (shapes.has(shape)) continue;
      shapes.add(shape);
      const number = (numbers.get(type) ?? 0) + 1;
      numbers.set(type, number);
      writeFileSync(
        join(folder, `${name}.${type}${number === 1 ? "" : `-${number}`}.json`),
        `${plain(history)}\n`,
      );
    }
  }

  /**
   * Waits until a workflow has ended and saves its histories: of its newest run and the runs that this one continues,
   * or with `runId` of that run and the runs that continue it.
   */
  async function save(
    name: string,
    client: Client,
    address: string,
    workflowId: string,
    runId?: string,
  ): Promise<void> {
    while (
      (await client.workflow.getHandle(workflowId, runId).describe()).status.name ===
      "RUNNING"
    )
      await sleep(200);
    const histories = [...(await readHistories(address, workflowId, runId))].toSorted(
      ([a], [b]) => (a < b ? -1 : 1),
    );
    write(
      name,
      histories.map(
        ([, history]) => JSON.parse(historyToJSON(history)) as SavedHistory["history"],
      ),
    );
  }

  return { save };
}

/** Serializes a history without this machine's host name, and without fields that a replay ignores. */
function plain(history: SavedHistory["history"]): string {
  const text = JSON.stringify(history, (key, value: unknown) =>
    key === "identity" ? "recorder" : key === "stackTrace" ? "" : value,
  );
  return text.replaceAll(`@${hostname()}`, "@host");
}
