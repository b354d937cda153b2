import { spawn, type ChildProcess } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openLedger } from "../../../temporal/process.ts";
import { compileOnce, programOf, ROOT } from "./program.ts";

const READY_WITHIN_MS = 120_000;
const INHERITED = ["PATH", "HOME", "TMPDIR", "CACHE_DIR", "XDG_CACHE_HOME", "TEMPORAL_CLI_PATH"];

export type Pids = {
  supervisor: number;
  control: number;
  orchestrator: number;
  workers: number[];
  temporal: number | null;
};
export type Endpoints = { api: string; docs: string; temporal: string; temporalUi: string | null; pids: Pids };
export type ProcessName = "supervisor" | "control" | "orchestrator" | "worker" | "temporal";

export type InstanceOptions = {
  env?: Record<string, string>;
  /** With a Temporal server of its own, instead of the test run's. */
  embedded?: boolean;
  /** A server to use instead of the test run's; needed outside vitest, unless embedded. */
  temporalAddress?: string;
  /** `npm start` instead of the entry file itself. */
  throughNpm?: boolean;
  /** It will lack something for ever: only that it answers is waited for. */
  neverReady?: boolean;
  /** Where all that it prints is written, too. */
  logFile?: string;
};

export type Instance = Awaited<ReturnType<typeof startInstance>>;

/** Starts the whole product on a data directory of its own and any free ports, and waits until all of it is ready. */
export async function startInstance(options: InstanceOptions = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "instance-"));
  const env: Record<string, string> = { ...(await baseEnvironment(options)), DATA_DIR: dataDir, ...options.env };
  let supervisor = launch(options, env);

  const endpoints = (): Endpoints => JSON.parse(readFileSync(join(dataDir, "endpoints.json"), "utf8")) as Endpoints;
  const pids = (): Pids => endpoints().pids;
  const ready = async () => {
    for (const end = Date.now() + READY_WITHIN_MS; !(await isReady(endpoints, options)); await sleep(100)) {
      if (supervisor.ended()) throw new Error(`The instance ended (${supervisor.ended()}):\n${supervisor.output()}`);
      if (Date.now() > end) throw new Error(`The instance is not ready:\n${supervisor.output()}`);
    }
  };
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<string> => {
    supervisor.child.kill(signal);
    return supervisor.end;
  };

  const remove = async () => {
    await stop();
    await openLedger(join(dataDir, "processes.json")).endLeftovers(0);
    rmSync(dataDir, { recursive: true, force: true });
  };

  await ready().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  const url = endpoints().api;
  return {
    url,
    dataDir,
    username: env["ADMIN_USERNAME"] ?? "admin",
    password: env["ADMIN_PASSWORD"] ?? readFileSync(join(dataDir, "admin-password"), "utf8").trim(),
    endpoints,
    pids,
    /** All that every process printed since the last start. */
    output: () => supervisor.output(),
    /** Waits until every process runs and says that it is ready. */
    ready,
    /** Ends it in order; resolves with how it ended (`0`, `1`, `SIGKILL`). Its data stay. */
    stop,
    /** Sends the signal to one process (of the workers, the first) and resolves with its pid once it is gone. */
    async kill(name: ProcessName, signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
      const pid = name === "worker" ? pids().workers[0] : pids()[name];
      if (!pid) throw new Error(`${name} has no process of this instance`);
      process.kill(pid, signal);
      while (isAlive(pid)) await sleep(20);
      return pid;
    },
    /** Starts it again on the same data and the same API port, after `stop` or after its supervisor was killed. */
    async restart(): Promise<void> {
      await supervisor.end;
      supervisor = launch(options, { ...env, PORT: new URL(url).port });
      await ready();
    },
    /** Ends it, whatever state it is in, and deletes its data. */
    remove,
  };
}

/** A JSON call with the instance's admin login. */
export function api(instance: Pick<Instance, "url" | "username" | "password">) {
  const authorization = `Basic ${Buffer.from(`${instance.username}:${instance.password}`).toString("base64")}`;
  return async (method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${instance.url}${path}`, {
      method,
      headers: { authorization, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? null : (JSON.parse(text) as unknown) };
  };
}

/** Whether there is such a process that is no zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/^\S+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function baseEnvironment({ embedded, temporalAddress }: InstanceOptions): Promise<Record<string, string>> {
  const inherited = INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]] as const] : []));
  const anyPort = { PORT: "0", TEMPORAL_PORT: "0", TEMPORAL_UI_PORT: "0" };
  const attached = embedded ? {} : { TEMPORAL_ADDRESS: temporalAddress ?? (await runsTemporal()) };
  return { ...Object.fromEntries(inherited), ...anyPort, ...attached };
}

async function runsTemporal(): Promise<string> {
  const { inject } = await import("vitest");
  return inject("temporalAddress");
}

function launch({ throughNpm, logFile }: InstanceOptions, env: Record<string, string>) {
  if (!throughNpm && process.env["VITEST"] === undefined) compileOnce();
  const [command, ...args] = throughNpm ? ["npm", "start"] : [process.execPath, ...programOf("main")];
  return watch(spawn(command ?? "", args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] }), logFile);
}

function watch(child: ChildProcess, logFile: string | undefined) {
  let output = "";
  let ended: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (logFile !== undefined) appendFileSync(logFile, chunk);
    });
  }
  const end = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      ended = String(signal ?? code);
      resolve(ended);
    });
  });
  return { child, end, ended: () => ended, output: () => output };
}

async function isReady(endpoints: () => Endpoints, { neverReady = false }: InstanceOptions): Promise<boolean> {
  try {
    const { api: url, pids } = endpoints();
    const all = [
      pids.supervisor,
      pids.control,
      pids.orchestrator,
      ...pids.workers,
      ...(pids.temporal === null ? [] : [pids.temporal]),
    ];
    return all.every(isAlive) && (await fetch(`${url}/health/${neverReady ? "live" : "ready"}`)).status === 200;
  } catch {
    return false;
  }
}
