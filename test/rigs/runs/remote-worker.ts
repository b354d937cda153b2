import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Instance } from "./instance.ts";
import { ROOT } from "./program.ts";

const INHERITED = ["PATH", "HOME", "TMPDIR"].flatMap((name) =>
  process.env[name] ? [[name, process.env[name]] as const] : [],
);

/** Returns the secret key that an instance made for itself. */
export const secretKeyOf = ({ dataDir }: Pick<Instance, "dataDir">): string =>
  readFileSync(join(dataDir, "secret-key"), "utf8").trim();

/** Stands for another machine, whose workers see neither the data nor the settings of an instance. */
export function createMachine() {
  const folder = mkdtempSync(join(tmpdir(), "elsewhere-"));
  const workers: ChildProcess[] = [];
  return {
    /** The data directory of its workers. */
    folder,
    /** Starts `npm run worker` with only the control plane's address, the key and `more`. */
    startWorker(url: string, secretKey: string, more: Record<string, string> = {}) {
      const env = {
        ...Object.fromEntries(INHERITED),
        API_URL: url,
        SECRET_KEY: secretKey,
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
