import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { realTimeWorkflowId } from "../../../workflows/contract.ts";
import { closed, createGate, follow } from "../../rigs/runs/run-fixture.ts";
import { type History, readHistories } from "../../rigs/runs/run-histories.ts";
import { fillRepository } from "../../rigs/runs/run-sources.ts";
import { PATIENCE_MS, type Scenes, type Stage } from "./scenes-images.ts";

/** Creates scenes of REAL_TIME tasks, which follow uploads. */
export function createUploadScenes({ files, client, address, save }: Stage): {
  scenes: Scenes;
  beginSilence: () => Promise<() => Promise<void>>;
} {
  const { product, projectId, cluster } = files;
  const idOf = (key: string) => realTimeWorkflowId(key, cluster);
  const upload = (name: string, path: string) =>
    product.upload(projectId, name, path, Buffer.from(path));
  const sent = (key: string, count: number) =>
    follow(
      product,
      key,
      ({ status, counts }) => status !== "RUNNING" && counts.success >= count,
      PATIENCE_MS,
    );

  async function begin(...names: string[]): Promise<string> {
    for (const name of names) await product.hosted(projectId, name);
    return product.run({
      projectId,
      objects: names.map((localRepoName) => ({ localRepoName, repoType: "GENERIC" })),
      clusters: [cluster],
      replicaType: "REAL_TIME",
    });
  }
  /** Deletes the task, which ends the workflow that follows uploads for it, and saves this workflow's histories. */
  async function end(name: string, key: string): Promise<void> {
    await product.remove(key);
    await save(name, idOf(key));
  }
  const records = async (key: string) => (await product.records(key)).length;
  async function until(what: () => Promise<boolean>): Promise<void> {
    for (const last = Date.now() + PATIENCE_MS; !(await what()); await sleep(100))
      if (Date.now() > last) throw new Error("the condition was not met in time");
  }
  const has = async (key: string, event: "signal" | "growDrain") => {
    const histories = await readHistories(address, idOf(key)).catch(
      () => new Map<string, History>(),
    );
    return [...histories.values()].some((history) =>
      JSON.stringify(history).includes(
        event === "signal"
          ? "signalExternalWorkflowExecutionInitiatedEventAttributes"
          : "growDrain",
      ),
    );
  };

  return {
    async beginSilence() {
      const key = await begin("silent");
      await upload("silent", "/once.bin");
      await until(async () => (await records(key)) > 0);
      await sent(key, 1);
      return () => save("real-time-quiet", idOf(key));
    },
    scenes: {
      "real-time": async () => {
        const { until: gate, letGo } = createGate();
        files.proxy.fault = ({ path }) =>
          path.includes("/sync/v1/files/") ? { kind: "hold", until: gate } : null;
        const key = await begin("followed");
        await fillRepository(product, projectId, "followed", [10, 20, 30]);
        await until(async () => (await records(key)) > 0);
        await upload("followed", "/late.bin");
        await until(() => has(key, "growDrain"));
        letGo();
        await sent(key, 4);
        for (let at = 0; at < 12; at += 1) {
          await upload("followed", `/more-${at}.bin`);
          await closed(product, key, PATIENCE_MS);
        }
        await end("real-time", key);
      },
      "real-time-more": async () => {
        files.proxy.fault = ({ path }) =>
          path.includes("/sync/v1/files/") ? { kind: "answer", status: 503 } : null;
        const key = await begin("refused");
        await upload("refused", "/first.bin");
        await until(async () => (await records(key)) > 0);
        for (let at = 0; !(await has(key, "signal")); at += 1)
          await upload("refused", `/then-${at}.bin`);
        files.proxy.fault = () => null;
        await sent(key, 2);
        await end("real-time-more", key);
      },
      "real-time-many": async () => {
        const names = Array.from({ length: 40 }, (_, at) => `followed-${at}`);
        const key = await begin(...names);
        for (const name of names) await upload(name, "/a.bin");
        await until(async () => (await records(key)) > 0);
        await closed(product, key, PATIENCE_MS);
        await end("real-time-many", key);
      },
      "real-time-catch-up": async () => {
        const key = await begin("forgotten", "forgotten-too");
        for (const name of ["forgotten", "forgotten-too"])
          await fillRepository(product, projectId, name, [1, 2, 3]);
        await until(async () => (await records(key)) > 0);
        await sent(key, 1);
        const before = await records(key);
        // The database now says that changes were lost because too many happened, so the task must catch up.
        const db = new Database(join(files.center.dataDir, "replication.db"), {
          timeout: 10_000,
        });
        db.prepare("UPDATE event_cursor SET catch_up = 1 WHERE task_key = ?").run(key);
        db.close();
        await upload("forgotten", "/new.bin");
        await until(async () => (await records(key)) > before);
        await closed(product, key, PATIENCE_MS);
        await end("real-time-catch-up", key);
      },
      "real-time-stopped": async () => {
        const { until: gate, letGo } = createGate();
        files.proxy.fault = ({ path }) =>
          path.includes("/sync/v1/files/") ? { kind: "hold", until: gate } : null;
        const key = await begin("halted");
        await upload("halted", "/a.bin");
        await until(async () => (await records(key)) > 0);
        const { runId } = await client.workflow.getHandle(idOf(key)).describe();
        await product.stop(key);
        await save("real-time-stopped", idOf(key), runId);
        letGo();
        await product.remove(key);
      },
    },
  };
}
