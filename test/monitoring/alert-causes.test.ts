import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import type { Problem } from "../../api/metrics/contract.ts";
import type { Alert } from "../../domain/alerts.ts";
import { isAlerted } from "../rigs/runs/alert-fixture.ts";
import { type Instance, startInstance } from "../rigs/runs/instance.ts";
import { readSeries, scrapeOf } from "../rigs/runs/metrics-fixture.ts";
import { programOf, ROOT } from "../rigs/runs/program.ts";
import { closed, createCleanup, follow, openProduct, patiently, UTC } from "../rigs/runs/run-fixture.ts";
import { type FileRig, startFileRig } from "../rigs/runs/run-rig.ts";

const MINUTE = 60_000;
const cleanup = createCleanup();

/** A disk of its own for DATA_DIR; null where one may not be had. */
function mountDisk(): string | null {
  const directory = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512m", "tmpfs", directory], { stdio: "pipe" });
    return directory;
  } catch (error) {
    console.warn(
      `SKIPPED: a full disk is not provoked, because a small one cannot be mounted here (needs root on Linux): ${String(error)}`,
    );
    rmSync(directory, { recursive: true });
    return null;
  }
}
const disk = mountDisk();
const usualFolder = process.env["TMPDIR"];

let rig: FileRig;
beforeAll(async () => {
  if (disk !== null) process.env["TMPDIR"] = disk;
  rig = await cleanup.keep(startFileRig({ env: { TRANSFER_WORKERS: "1" } }), (one) => one.end());
  if (usualFolder === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = usualFolder;
  await rig.product.hosted(rig.projectId, "files");
  await rig.product.upload(rig.projectId, "files", "/first", Buffer.from("first"));
});
afterAll(async () => {
  await cleanup.all();
  if (disk !== null) execFileSync("umount", ["--lazy", disk]);
});

const problemsOf = (instance: Instance) =>
  patiently(() => openProduct(instance).call<Omit<Problem, "since">[]>("GET", "/replication/api/system/problems"));

/**
 * Waits until the problem is told and the instance's numbers make the alert's expression true; answers what is told.
 */
async function untilTold(
  instance: Instance,
  alert: Alert,
  subject: string,
  again: () => Promise<void> = async () => undefined,
): Promise<Omit<Problem, "since">> {
  for (const end = Date.now() + 180_000; ; await sleep(200)) {
    await again();
    const [problems, text] = [await problemsOf(instance), await patiently(() => scrapeOf(instance))];
    const found = problems.find((problem) => problem.alert === alert && problem.subject === subject);
    if (found && (await isAlerted(alert, text))) return found;
    if (Date.now() > end) throw new Error(`${alert} of ${subject} is not told: ${JSON.stringify(problems)}`);
  }
}

async function untilOver(instance: Instance, alert: Alert, subject: string): Promise<void> {
  for (
    const end = Date.now() + 180_000;
    (await problemsOf(instance)).some((problem) => problem.alert === alert && problem.subject === subject);
    await sleep(500)
  ) {
    if (Date.now() > end) throw new Error(`${alert} of ${subject} is told for ever`);
  }
}

/** Changes what the instance has written down, while it is stopped: time passes in no other way. */
async function rewrite(instance: Instance, statements: string): Promise<void> {
  await instance.stop();
  const db = new Sqlite(join(instance.dataDir, "replication.db"));
  db.exec(statements);
  db.close();
  await instance.restart();
}

const connect = () => rig.product.call("POST", "/replication/api/cluster/tryConnect?name=edge").catch(() => undefined);
const change = (password: string) =>
  rig.product.call("POST", "/replication/api/cluster/update", {
    name: "edge",
    url: rig.proxy.url,
    username: rig.edge.username,
    password,
    ping: false,
  });
const objects = [{ localRepoName: "files", repoType: "GENERIC" as const }];
const nameOf = async (key: string) => (await rig.product.task(key)).name;

/** What goes wrong, whom the alert is about, what is told of it, and how it is mended. */
type Cause = {
  what: string;
  alert: Alert;
  skip?: boolean;
  provoke: () => Promise<{ subject: string; says: RegExp; mend: () => Promise<unknown> }>;
};

const CAUSES: Cause[] = [
  {
    what: "a cluster away",
    alert: "ClusterDown",
    async provoke() {
      rig.proxy.fault = () => ({ kind: "reset" });
      await connect();
      const mend = async () => {
        rig.proxy.fault = () => null;
        await connect();
      };
      return { subject: "edge", says: /cannot be used/, mend };
    },
  },
  {
    what: "a password that is wrong by now",
    alert: "CredentialsRefused",
    async provoke() {
      await change("another one");
      await connect();
      return {
        subject: "edge",
        says: /refuses our credentials: .*password/i,
        mend: () => change(rig.edge.password).then(connect),
      };
    },
  },
  {
    what: "a disk that is nearly full",
    alert: "DiskLow",
    skip: disk === null,
    async provoke() {
      const filler = join(disk ?? "", "filler");
      const { bavail, bsize } = statfsSync(disk ?? "");
      writeFileSync(filler, Buffer.alloc(bavail * bsize - 30 * 1024 ** 2));
      return { subject: "DATA_DIR", says: /MiB of 512 MiB are free/, mend: async () => rmSync(filler) };
    },
  },
  {
    what: "content at the target that somebody changed",
    alert: "ConflictsLeftAlone",
    async provoke() {
      const { product, partner, projectId, cluster } = rig;
      const key = await product.run({ projectId, objects, clusters: [cluster], setting: { conflictStrategy: "SKIP" } });
      await closed(product, key);
      await partner.upload(projectId, "files", "/first", Buffer.from("changed"), { "X-BKREPO-OVERWRITE": "true" });
      await product.execute(key);
      await closed(product, key);
      const mend = async () => {
        await partner.upload(projectId, "files", "/first", Buffer.from("first"), { "X-BKREPO-OVERWRITE": "true" });
        await product.execute(key);
        await closed(product, key);
      };
      return { subject: `${await nameOf(key)} → edge`, says: /^1 artifacts .* left alone/, mend };
    },
  },
  {
    what: "a target that hangs",
    alert: "RunStalled",
    async provoke() {
      const { product, projectId, cluster, center } = rig;
      rig.proxy.fault = ({ path }) => (path.includes("/sync/v1/files/") ? { kind: "hang" } : null);
      await product.upload(projectId, "files", "/second", Buffer.from("second"));
      const key = await product.run({ projectId, objects, clusters: [cluster] });
      await follow(product, key, () =>
        rig.proxy.requests.some(({ path, closed }) => path.includes("/sync/v1/files/") && closed === null),
      );
      await rewrite(
        center,
        `UPDATE record SET start_time = start_time - ${20 * MINUTE} WHERE status = 'RUNNING'; UPDATE detail SET start_time = start_time - ${20 * MINUTE}`,
      );
      const mend = async () => {
        rig.proxy.fault = () => null;
        await product.stop(key);
        await closed(product, key);
      };
      return { subject: await nameOf(key), says: /has had no outcome and moved no byte for 2\d min/, mend };
    },
  },
  {
    what: "uploads that a cluster does not get",
    alert: "RealTimeLag",
    async provoke() {
      const { product, projectId, cluster, center } = rig;
      rig.proxy.fault = () => ({ kind: "reset" });
      const key = await product.run({ projectId, objects, clusters: [cluster], replicaType: "REAL_TIME" });
      await product.upload(projectId, "files", "/third", Buffer.from("third"));
      await rewrite(
        center,
        `UPDATE event SET created_date = created_date - ${10 * MINUTE}; UPDATE pending SET since = since - ${10 * MINUTE}`,
      );
      const mend = async () => {
        rig.proxy.fault = () => null;
        await connect();
      };
      return { subject: `${await nameOf(key)} → edge`, says: /lacks an upload of 1\d min/, mend };
    },
  },
  {
    what: "a cluster that answers slowly",
    alert: "ClusterSlow",
    async provoke() {
      const { product, projectId, cluster } = rig;
      rig.proxy.fault = () => ({ kind: "latency", ms: 8_000 });
      const key = await product.run({ projectId, objects, clusters: [cluster] });
      const mend = async () => {
        rig.proxy.fault = () => null;
        await closed(product, key);
      };
      return { subject: "edge", says: /answers slowly/, mend };
    },
  },
  {
    what: "a worker whose clock is wrong",
    alert: "WorkerRefused",
    async provoke() {
      const { center } = rig;
      const path = "/internal/v1/worker";
      const signer = createInternalSigner(readFileSync(join(center.dataDir, "secret-key"), "utf8").trim());
      const ask = (headers: Record<string, string>) =>
        fetch(center.url + path, { headers: { ...headers, "x-internal-worker": "far/1" } });
      const clock = Date.now;
      Date.now = () => clock() - 10 * MINUTE;
      const late = signer.headers("GET", path, "");
      Date.now = clock;
      expect((await ask(late)).status).toBe(401);
      return { subject: "far/1", says: /is given no work: .*clock/, mend: () => ask(signer.headers("GET", path, "")) };
    },
  },
  {
    what: "a time of a schedule that passed without a run",
    alert: "TaskOverdue",
    async provoke() {
      const { product, projectId, cluster, center } = rig;
      const hour = (new Date().getUTCHours() + 12) % 24;
      const executionPlan = { executeImmediately: false, cronExpression: `0 0 ${hour} * * ?`, timeZone: "UTC" };
      const key = await product.run({
        projectId,
        objects,
        clusters: [cluster],
        setting: { executionStrategy: "CRON_EXPRESSION", executionPlan },
      });
      await rewrite(
        center,
        `UPDATE task SET last_modified_date = last_modified_date - ${48 * 60 * MINUTE} WHERE key = '${key}'`,
      );
      const mend = async () => {
        await product.execute(key);
        await closed(product, key);
      };
      return { subject: await nameOf(key), says: /should have run 1 d \d+ h ago|should have run \d+ h/, mend };
    },
  },
];

describe(
  "a cause that is provoked makes its alert true and is told, and is over when it is mended:",
  { timeout: 480_000 },
  () => {
    for (const { what, alert, skip = false, provoke } of CAUSES) {
      test.skipIf(skip)(`${what} (${alert})`, async () => {
        const { subject, says, mend } = await provoke();
        try {
          expect((await untilTold(rig.center, alert, subject)).message).toMatch(says);
        } finally {
          await mend();
        }
        await untilOver(rig.center, alert, subject);
      });
    }

    test("no transfer worker (WorkersMissing), until one runs elsewhere, whose numbers are then there, too", async () => {
      const secretKey = "a key that both of them were given";
      const alone = await cleanup.keep(
        startInstance({
          env: { ...UTC, TRANSFER_WORKERS: "0", SECRET_KEY: secretKey, LOG_LEVEL: "warn" },
          neverReady: true,
        }),
        (one) => one.remove(),
      );
      expect((await untilTold(alone, "WorkersMissing", "transfer worker")).message).toContain("no transfer worker");
      const folder = mkdtempSync(join(tmpdir(), "worker-"));
      const env = {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        DATA_DIR: folder,
        API_URL: alone.url,
        SECRET_KEY: secretKey,
        LOG_LEVEL: "warn",
      };
      const worker = spawn(process.execPath, programOf("activities/start"), { cwd: ROOT, env, stdio: "inherit" });
      const gone = new Promise((resolve) => worker.once("exit", resolve));
      try {
        await untilOver(alone, "WorkersMissing", "transfer worker");
        const isThere = async () =>
          readSeries(await scrapeOf(alone)).some(
            ({ name, labels }) =>
              name === "temporal_worker_task_slots_available" && labels["process"]?.endsWith(`/${worker.pid}`),
          );
        for (const end = Date.now() + 120_000; !(await isThere()); await sleep(500))
          expect(Date.now()).toBeLessThan(end);
      } finally {
        worker.kill("SIGKILL");
        await gone;
        rmSync(folder, { recursive: true, force: true });
      }
    });

    test("an embedded Temporal that is gone (WorkersMissing), until it is back", async () => {
      const own = await cleanup.keep(
        startInstance({ embedded: true, env: { ...UTC, TRANSFER_WORKERS: "1", LOG_LEVEL: "warn" } }),
        (one) => one.remove(),
      );
      let killed = 0;
      const told = await untilTold(own, "WorkersMissing", "temporal", async () => {
        const pid = own.pids().temporal;
        if (pid === null || pid === killed) return;
        killed = pid;
        await own.kill("temporal").catch(() => undefined);
      });
      expect(told.message).toContain("Temporal does not answer");
      await untilOver(own, "WorkersMissing", "temporal");
    });
  },
);
