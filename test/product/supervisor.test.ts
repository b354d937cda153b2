import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
} from "vitest";
import { ATTRIBUTES } from "../../workflows/contract.ts";
import {
  isAlive,
  startInstance,
  type Instance,
  type ProcessName,
} from "../rigs/runs/instance.ts";
import { programOf, ROOT } from "../rigs/runs/program.ts";

/** Runs the entry file in a case in which it should end on its own; returns its exit code and output. */
function run(env: Record<string, string>): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      programOf("main"),
      {
        cwd: ROOT,
        env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
      },
      (_error, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

const children = ({ pids }: Instance) => [
  pids().control,
  pids().orchestrator,
  ...pids().workers,
];

describe("a whole instance with its own Temporal server", () => {
  let instance: Instance;
  beforeAll(async () => {
    instance = await startInstance({ embedded: true });
  });
  beforeEach(async () => {
    // A test that failed may have left it dead.
    if (isAlive(instance.pids().supervisor)) await instance.ready();
    else await instance.restart();
  });
  afterAll(() => instance.remove());

  test("an instance prints its addresses, and only its owner can read its secrets", () => {
    const { api, docs, temporalUi } = instance.endpoints();
    const passwordFile = join(instance.dataDir, "admin-password");
    for (const said of [api, docs, String(temporalUi), passwordFile])
      expect(instance.output()).toContain(said);
    for (const file of ["admin-password", "secret-key"]) {
      const path = join(instance.dataDir, file);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(instance.output()).not.toContain(readFileSync(path, "utf8").trim());
    }
    expect(readFileSync(join(instance.dataDir, "secret-key"), "utf8")).toMatch(
      /^[0-9a-f]{64}\n$/,
    );
  });

  test("an embedded Temporal server keeps closed runs for 7 days and has the product's search attributes", async () => {
    const { temporal, temporalUi } = instance.endpoints();
    const connection = await Connection.connect({ address: temporal });
    const { config } = await connection.workflowService.describeNamespace({
      namespace: "default",
    });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace: "default",
    });
    await connection.close();
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(7 * 86_400);
    expect(Object.keys(customAttributes)).toEqual(
      expect.arrayContaining(Object.values(ATTRIBUTES)),
    );
    expect((await fetch(String(temporalUi))).status).toBe(200);
  });

  test("an instance keeps idle connections open for longer than proxies in front of it do", async () => {
    const { headers } = await fetch(`${instance.endpoints().api}/health`);
    expect(headers.get("keep-alive")).toBe("timeout=75");
  });

  test.runIf(process.platform === "linux")(
    "every thread of a transfer worker has a lower priority than the other processes",
    () => {
      const { control, orchestrator, workers } = instance.pids();
      for (const pid of workers)
        expect(new Set(niceOf(pid)), "of a worker").toEqual(new Set([10]));
      for (const pid of [control, orchestrator])
        expect(new Set(niceOf(pid)), "of another process").toEqual(new Set([0]));
    },
  );

  test("a second start on the same data directory fails and names the process that uses it", async () => {
    const { code, output } = await run({
      DATA_DIR: instance.dataDir,
      PORT: "0",
      TEMPORAL_PORT: "0",
      TEMPORAL_UI_PORT: "0",
    });
    expect(code).toBe(1);
    expect(output).toContain(`in use by process ${instance.pids().supervisor}`);
    expect(children(instance).every(isAlive)).toBe(true);
  });

  test.each<ProcessName>(["control", "orchestrator", "worker", "temporal"])(
    "an instance recovers from kill -9 of its %s, at the same addresses",
    async (name) => {
      const before = instance.endpoints();
      const killed = await instance.kill(name);
      await instance.ready();
      const after = instance.endpoints();
      expect(Object.values(after.pids).flat()).not.toContain(killed);
      expect({ ...after, pids: null }).toEqual({ ...before, pids: null });
    },
  );

  test("an instance whose Temporal server hangs is not ready until the server answers again", async () => {
    const { pids, api } = instance.endpoints();
    const missing = async () =>
      (
        (await (await fetch(`${api}/health/ready`)).json()) as {
          data: { missing: string[] };
        }
      ).data.missing;
    process.kill(pids.temporal ?? 0, "SIGSTOP");
    try {
      await expect.poll(missing).toEqual(["temporal"]);
    } finally {
      process.kill(pids.temporal ?? 0, "SIGCONT");
    }
    await expect.poll(missing).toEqual([]);
    expect(instance.pids().temporal).toBe(pids.temporal);
  });

  test("kill -9 of the supervisor ends its child processes, and the next start uses the same data", async () => {
    const before = {
      children: children(instance),
      temporal: instance.pids().temporal,
      id: identity(instance),
    };
    await instance.kill("supervisor");
    await expect.poll(() => before.children.filter(isAlive)).toEqual([]);
    await instance.restart();
    expect(isAlive(before.temporal ?? 0)).toBe(false);
    expect(identity(instance)).toEqual(before.id);
  });
});

const identity = ({ dataDir }: Instance) =>
  ["instance-id", "secret-key", "admin-password"].map((file) =>
    readFileSync(join(dataDir, file), "utf8"),
  );

/** Returns the nice value of each thread of a process: proc(5), the 17th field after the name in brackets. */
const niceOf = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(
      readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[16],
    ),
  );

describe("the end of an instance", () => {
  test("an instance that gets SIGTERM through npm drains, exits 0 and leaves no process", async () => {
    const instance = await startInstance({ embedded: true, throughNpm: true });
    onTestFinished(() => instance.remove());
    const all = Object.values(instance.pids()).flat() as number[];
    const begun = Date.now();
    expect(await instance.stop("SIGTERM")).toBe("0");
    expect(Date.now() - begun).toBeLessThan(60_000);
    expect(all.filter(isAlive)).toEqual([]);
    expect(readdirSync(instance.dataDir)).not.toContain("endpoints.json");
  });

  test("an instance that ends does not stop a Temporal server that it did not start", async () => {
    const instance = await startInstance();
    onTestFinished(() => instance.remove());
    const { temporal, temporalUi, pids } = instance.endpoints();
    expect({ temporalUi, pid: pids.temporal }).toEqual({ temporalUi: null, pid: null });
    expect(await instance.stop("SIGINT")).toBe("0");
    const connection = await Connection.connect({ address: temporal });
    await connection.close();
  });
});

describe("a start that cannot succeed", () => {
  test("a start with a wrong configuration exits 1 and names every problem", async () => {
    const { code, output } = await run({ PORT: "x", RETRY_WINDOW: "y" });
    expect(code).toBe(1);
    expect(output).toMatch(/PORT must[^]*RETRY_WINDOW must/);
  });

  test("a start on a port that is in use fails and names the environment variable of the port", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const instance = startInstance({
      embedded: true,
      env: { TEMPORAL_PORT: String(port) },
    });
    await expect(instance).rejects.toThrow(
      `In use: port ${port} at 127.0.0.1 (TEMPORAL_PORT)`,
    );
    server.close();
  });

  test("a start with a program that is not the Temporal CLI fails and names it", async () => {
    const instance = startInstance({
      embedded: true,
      env: { TEMPORAL_CLI_PATH: process.execPath },
    });
    await expect(instance).rejects.toThrow(
      `TEMPORAL_CLI_PATH ${process.execPath}: is ${process.version}`,
    );
  });
});
