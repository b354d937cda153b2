import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  readWorkerToken,
  type WorkerIdentity,
  workerToken,
} from "../../../activities/secrets/worker-token.ts";
import type { Instance } from "./instance.ts";
import { ROOT } from "./program.ts";

const INHERITED = ["PATH", "HOME", "TMPDIR"].flatMap((name) =>
  process.env[name] ? [[name, process.env[name]] as const] : [],
);

/** Has an instance make a worker, and returns its token. */
export async function makeToken(
  instance: Pick<Instance, "url" | "dataDir">,
  name = `worker-${randomBytes(4).toString("hex")}`,
): Promise<string> {
  const password = readFileSync(join(instance.dataDir, "admin-password"), "utf8").trim();
  const answer = await fetch(`${instance.url}/replication/api/worker/create`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ name }),
  });
  const { data } = (await answer.json()) as { data: { token: string } };
  return data.token;
}

/** Has an instance make a worker, and returns its identity. */
export async function makeIdentity(
  instance: Pick<Instance, "url" | "dataDir">,
): Promise<WorkerIdentity> {
  const identity = readWorkerToken(await makeToken(instance));
  if (identity === null) throw new Error("the instance answers no token");
  return identity;
}

/** A token that no instance has made. */
export const FOREIGN_TOKEN = workerToken({ id: "0".repeat(24), secret: "f".repeat(43) });

/** Stands for another machine, whose workers see neither the data nor the settings of an instance. */
export function createMachine() {
  const folder = mkdtempSync(join(tmpdir(), "elsewhere-"));
  const workers: ChildProcess[] = [];
  return {
    /** The data directory of its workers. */
    folder,
    /** Starts `npm run worker` with only the control plane's address, its token and `more`. */
    startWorker(url: string, token: string, more: Record<string, string> = {}) {
      const env = {
        ...Object.fromEntries(INHERITED),
        API_URL: url,
        WORKER_TOKEN: token,
        DATA_DIR: folder,
        ...more,
      };
      const child = spawn("npm", ["run", "--silent", "worker"], {
        cwd: ROOT,
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      workers.push(child);
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
      return {
        child,
        output: () => output,
        ended: once(child, "exit") as Promise<[number | null]>,
      };
    },
    /** Stops the workers. */
    async stop(): Promise<void> {
      // SIGTERM, because npm passes on to the worker only signals that it can catch.
      await Promise.all(
        workers.map(
          (worker) =>
            worker.exitCode ??
            worker.signalCode ??
            (worker.kill("SIGTERM") && once(worker, "exit")),
        ),
      );
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
