import { spawn, type ChildProcess } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endLeftovers } from "../../../temporal/process.ts";
import { compileOnce, programOf, ROOT } from "./program.ts";

const READY_WITHIN_MS = 120_000;
const INHERITED = [
  "PATH",
  "HOME",
  "TMPDIR",
  "CACHE_DIR",
  "XDG_CACHE_HOME",
  "TEMPORAL_CLI_PATH",
];

type Pids = {
  supervisor: number;
  control: number;
  orchestrator: number;
  workers: number[];
  temporal: number | null;
};
type Endpoints = {
  api: string;
  docs: string;
  temporal: string;
  temporalUi: string | null;
  pids: Pids;
};
export type ProcessName =
  "supervisor" | "control" | "orchestrator" | "worker" | "temporal";

export type InstanceOptions = {
  env?: Record<string, string>;
  /** Whether the instance starts its own Temporal server instead of using that of the test run. */
  embedded?: boolean;
  /** host:port of a Temporal server to use instead of the test run's; required outside vitest unless `embedded`. */
  temporalAddress?: string;
  /** Whether the instance is started by `npm start` instead of the entry file. */
  throughNpm?: boolean;
  /** Set if the instance never becomes ready: the start waits only until the API answers. */
  neverReady?: boolean;
  /** A file to which the output of all processes is also written. */
  logFile?: string;
  /** A file that is the standard output of all processes, instead of a pipe that the test reads. */
  outputFile?: string;
  /** The folder of the instance's data; absent: a new one for temporary files. */
  dataDir?: string;
};

export type Instance = Awaited<ReturnType<typeof startInstance>>;

/** Starts the whole product on its own data directory and free ports, and waits until all of it is ready. */
export async function startInstance(options: InstanceOptions = {}) {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "instance-"));
  const env: Record<string, string> = {
    ...(await baseEnvironment(options)),
    DATA_DIR: dataDir,
    ...options.env,
  };
  let supervisor = launch(options, env);

  const endpoints = (): Endpoints =>
    JSON.parse(readFileSync(join(dataDir, "endpoints.json"), "utf8")) as Endpoints;
  const pids = (): Pids => endpoints().pids;
  const ready = async () => {
    for (
      const end = Date.now() + READY_WITHIN_MS;
      !(await isReady(endpoints, options));
      await sleep(100)
    ) {
      if (supervisor.ended())
        throw new Error(
          `the instance ended (${supervisor.ended()}):\n${supervisor.output()}`,
        );
      if (Date.now() > end)
        throw new Error(`the instance is not ready:\n${supervisor.output()}`);
    }
  };
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<string> => {
    supervisor.child.kill(signal);
    return supervisor.end;
  };

  const remove = async () => {
    await stop();
    await endLeftovers(join(dataDir, "processes.json"), 0);
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
    password:
      env["ADMIN_PASSWORD"] ??
      readFileSync(join(dataDir, "admin-password"), "utf8").trim(),
    endpoints,
    pids,
    /** The output of all processes since the last start. */
    output: () => supervisor.output(),
    /** Waits until every process runs and reports that it is ready. */
    ready,
    /** Stops the instance in order and keeps its data; resolves with how it ended (`0`, `1`, `SIGKILL`). */
    stop,
    /** Sends the signal to one process (the first of the workers) and resolves with its pid once it has ended. */
    async kill(name: ProcessName, signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
      const pid = name === "worker" ? pids().workers[0] : pids()[name];
      if (!pid) throw new Error(`${name} has no process in this instance`);
      process.kill(pid, signal);
      while (isAlive(pid)) await sleep(20);
      return pid;
    },
    /**
     * Starts the instance again with the same data and API port, after `stop` or after its supervisor
     * was killed.
     */
    async restart(): Promise<void> {
      await supervisor.end;
      supervisor = launch(options, { ...env, PORT: new URL(url).port });
      await ready();
    },
    /** Ends the instance in any state and deletes its data. */
    remove,
  };
}

/** Returns the Authorization header of an instance's admin login. */
export const authorizationOf = ({
  username,
  password,
}: Pick<Instance, "username" | "password">): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** Returns a function that makes JSON calls with the instance's admin login. */
export function api(instance: Pick<Instance, "url" | "username" | "password">) {
  const authorization = authorizationOf(instance);
  return async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${instance.url}${path}`, {
      method,
      headers: {
        authorization,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      body: text === "" ? null : (JSON.parse(text) as unknown),
    };
  };
}

/** Whether a process with this pid exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return (
      process.platform !== "linux" ||
      !/^\S+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
    );
  } catch {
    return false;
  }
}

async function baseEnvironment({
  embedded,
  temporalAddress,
}: InstanceOptions): Promise<Record<string, string>> {
  const inherited = INHERITED.flatMap((name) =>
    process.env[name] ? [[name, process.env[name]] as const] : [],
  );
  const temporal = embedded
    ? { TEMPORAL_PORT: "0", TEMPORAL_UI_PORT: "0" }
    : { TEMPORAL_ADDRESS: temporalAddress ?? (await runsTemporal()) };
  return {
    ...Object.fromEntries(inherited),
    PORT: "0",
    // The default reserve is more than the small disks of some tests have.
    DISK_RESERVE: "1MiB",
    ...temporal,
  };
}

async function runsTemporal(): Promise<string> {
  const { inject } = await import("vitest");
  return inject("temporalAddress");
}

function launch(
  { throughNpm, logFile, outputFile }: InstanceOptions,
  env: Record<string, string>,
) {
  if (!throughNpm && process.env["VITEST"] === undefined) compileOnce();
  const [command, ...args] = throughNpm
    ? ["npm", "start"]
    : [process.execPath, ...programOf("main")];
  const output = outputFile === undefined ? "pipe" : openSync(outputFile, "a");
  const child = spawn(command ?? "", args, {
    cwd: ROOT,
    env,
    stdio: ["ignore", output, "pipe"],
  });
  if (output !== "pipe") closeSync(output);
  return watch(child, logFile);
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

async function isReady(
  endpoints: () => Endpoints,
  { neverReady = false }: InstanceOptions,
): Promise<boolean> {
  try {
    const { api: url, pids } = endpoints();
    const all = [
      pids.supervisor,
      pids.control,
      pids.orchestrator,
      ...pids.workers,
      ...(pids.temporal === null ? [] : [pids.temporal]),
    ];
    return (
      all.every(isAlive) &&
      (await fetch(`${url}/health/${neverReady ? "live" : "ready"}`)).status === 200
    );
  } catch {
    return false;
  }
}
