import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export type RunningServer = {
  /** Sends SIGTERM to the server and waits until it has ended. */
  stop: () => Promise<void>;
  /** Sends SIGKILL to the server and waits until it has ended. */
  kill: () => Promise<void>;
  /** Ends the server and starts it again with the same port and data. */
  restart: () => Promise<void>;
};

type Start = {
  command: string;
  args: string[];
  log?: string;
  env?: Record<string, string>;
  ready: () => Promise<boolean>;
};

const READY_WITHIN_MS = 120_000;
const children = new Set<ChildProcess>();
process.once("exit", () => children.forEach((child) => child.kill("SIGKILL")));

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

/**
 * Starts a server and waits until it is ready; its output goes to the file `log`, and into the error when it does not
 * start.
 */
export async function startServer({
  command,
  args,
  log = join(mkdtempSync(join(tmpdir(), "server-")), "log"),
  env = {},
  ready,
}: Start): Promise<RunningServer> {
  let child = await launch();

  async function launch(): Promise<ChildProcess> {
    // The output goes into a file, not a pipe: a test that blocks for a while would block the server, too.
    const file = openSync(log, "a");
    const started = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", file, file],
    });
    closeSync(file);
    children.add(started);
    const output = () => readFileSync(log, "utf8").slice(-4_000);
    const failed = new Promise<never>((_resolve, reject) => {
      started.once("error", reject);
      started.once("exit", (code) =>
        reject(new Error(`${command} ended with ${code}: ${output()}`)),
      );
    });
    failed.catch(() => children.delete(started));
    await Promise.race([failed, untilReady(ready, output)]);
    return started;
  }

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  };

  return {
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    async restart() {
      await end("SIGKILL");
      child = await launch();
    },
  };
}

async function untilReady(
  ready: () => Promise<boolean>,
  output: () => string,
): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await ready().catch(() => false))) {
    if (Date.now() > deadline)
      throw new Error(`not ready in ${READY_WITHIN_MS} ms: ${output()}`);
    await sleep(20);
  }
}
