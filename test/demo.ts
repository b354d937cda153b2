import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { loadConfig } from "../config.ts";
import { encodePath } from "./rigs/api/encode-path.ts";
import { findBinary } from "../temporal/binary.ts";
import { type Instance, startInstance } from "./rigs/runs/instance.ts";
import {
  newest,
  openProduct,
  type Product,
  type RecordInfo,
} from "./rigs/runs/run-fixture.ts";
import { each } from "./rigs/runs/run-sources.ts";

/**
 * `npm run demo`: two instances on this machine, real files sent from one to the other, and everything deleted at
 * Ctrl-C; without a terminal, at the end.
 */

const PACKAGES = fileURLToPath(new URL("../node_modules", import.meta.url));
const MOST_FILES = 1_500;
const MOST_BYTES = 1024 ** 2;
/** The run's rate limit makes it last about this long, so that there is something to watch. */
const WATCHED_SECONDS = 8;
const TICK_MS = 1_000;
/** Whether somebody is there to look at the result and to press Ctrl-C. */
const ATTENDED = process.stdin.isTTY || process.stdout.isTTY;
const REPOSITORY = { project: "demo", name: "packages" };

type File = { path: string; file: string; size: number };

const folder = mkdtempSync(join(tmpdir(), "replication-demo-"));
const logFile = join(folder, "log.ndjson");
const interrupted = new AbortController();
const instances: Promise<Instance>[] = [];

const say = (line = "") => process.stdout.write(`${line}\n`);
const number = (value: number) => value.toLocaleString("en");
const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

/** Prints what is being done and for how long already and, once it is done, how long it took. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  interrupted.signal.throwIfAborted();
  const begun = Date.now();
  const seconds = () => (Date.now() - begun) / 1000;
  process.stdout.write(`${what} … `);
  const ticking = setInterval(() => {
    if (process.stdout.isTTY)
      process.stdout.write(`\r\x1b[K${what} … ${seconds().toFixed(0)} s`);
    else process.stdout.write(".");
  }, TICK_MS);
  const result = await work().finally(() => clearInterval(ticking));
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${what} … `);
  say(`${seconds().toFixed(1)} s`);
  return result;
}

async function temporalAtHand(): Promise<void> {
  const { cacheDir, temporalCliPath, httpsProxy, httpProxy, noProxy } = loadConfig(
    process.env,
  );
  const log = pino(
    { level: "info" },
    { write: (line: string) => say((JSON.parse(line) as { msg: string }).msg) },
  );
  await findBinary({
    cliPath: temporalCliPath,
    cacheDir,
    proxy: { httpsProxy, httpProxy, noProxy },
    log,
    signal: interrupted.signal,
  });
}

function start(options: Parameters<typeof startInstance>[0]): Promise<Instance> {
  const starting = startInstance({
    ...options,
    logFile,
    env: { LOG_LEVEL: "warn", ...options?.env },
  });
  instances.push(starting);
  return starting;
}

/** Returns files of this checkout's node_modules, sorted by name. */
function packageFiles(): File[] {
  const entries = readdirSync(PACKAGES, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile(),
  );
  const files = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  const found = files.map((file) => ({
    path: `/${relative(PACKAGES, file).split(sep).join("/")}`,
    file,
    size: statSync(file).size,
  }));
  return found.filter(({ size }) => size <= MOST_BYTES).slice(0, MOST_FILES);
}

/** Uploads files; returns their sha256 by path. */
async function upload(product: Product, files: File[]): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  await each(files, 16, async ({ path, file }) => {
    interrupted.signal.throwIfAborted();
    const bytes = readFileSync(file);
    digests.set(path, createHash("sha256").update(bytes).digest("hex"));
    await product.upload(REPOSITORY.project, REPOSITORY.name, encodePath(path), bytes);
  });
  return digests;
}

/** Prints the progress of a run until its record is closed. */
async function watch(product: Product, key: string): Promise<RecordInfo> {
  const live = process.stdout.isTTY;
  for (let turn = 0; ; turn += 1) {
    interrupted.signal.throwIfAborted();
    const record = await newest(product, key);
    const { success, failed, planned } = record.counts;
    const share = planned === 0 ? 0 : Math.floor((30 * (success + failed)) / planned);
    const bytes = `${mebibytes(record.replicatedBytes)} of ${mebibytes(record.totalBytes)}`;
    const bar = "█".repeat(share) + "░".repeat(30 - share);
    const line =
      planned === 0
        ? "  Planning: the files to send are counted"
        : `  ${bar} ${number(success)} of ${number(planned)} files, ${bytes}`;
    const over = record.status !== "RUNNING";
    if (live) process.stdout.write(`\r\x1b[K${line}${over ? "\n" : ""}`);
    else if (over || turn % 10 === 0) say(line);
    if (over) return record;
    await sleep(200, undefined, { signal: interrupted.signal });
  }
}

/** Compares every file of the other instance with the uploaded ones. */
async function compare(other: Product, digests: Map<string, string>): Promise<void> {
  const left = new Map(digests);
  for (let page = 1, more = true; more; page += 1) {
    const query = `pageNumber=${page}&pageSize=1000&includeFolder=false&deep=true`;
    const { records } = await other.call<{
      records: { fullPath: string; sha256: string }[];
    }>(
      "GET",
      `/repository/api/node/page/${REPOSITORY.project}/${REPOSITORY.name}/?${query}`,
    );
    for (const { fullPath, sha256 } of records)
      if (left.get(fullPath) === sha256) left.delete(fullPath);
    more = records.length > 0;
  }
  if (left.size > 0)
    throw new Error(
      `${left.size} files are missing or differ at the second instance, for example ${[...left.keys()][0]}`,
    );
}

async function replicate(first: Instance, second: Instance): Promise<void> {
  const [here, there] = [openProduct(first), openProduct(second)];
  const files = packageFiles();
  const total = files.reduce((sum, { size }) => sum + size, 0);
  await here.project(REPOSITORY.project);
  await here.hosted(REPOSITORY.project, REPOSITORY.name);
  const digests = await step(
    `Uploading ${number(files.length)} files of the packages in node_modules (${mebibytes(total)})`,
    () => upload(here, files),
  );

  const rateLimit = Math.ceil(total / WATCHED_SECONDS);
  say(
    `Replicating them to the second instance, limited to ${mebibytes(rateLimit)}/s by the task's rateLimit:`,
  );
  const target = await here.partner("second", second);
  const objects = [{ localRepoName: REPOSITORY.name, repoType: "GENERIC" as const }];
  const key = await here.run({
    projectId: REPOSITORY.project,
    objects,
    clusters: [target],
    setting: { rateLimit },
  });
  const record = await watch(here, key);
  if (record.status !== "SUCCESS")
    throw new Error(`The run ended ${record.status}: ${record.errorReason}`);
  await step("Comparing the sha256 of every file at the second instance: all equal", () =>
    compare(there, digests),
  );
  const again = await step(
    "Running the task again: every file is at the target, nothing to send",
    async () => {
      await here.execute(key);
      return until(
        () => newest(here, key),
        ({ status }) => status !== "RUNNING",
      );
    },
  );
  show(first, second, [record, again]);
}

async function until<T>(look: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look();
    if (done(value)) return value;
    await sleep(50, undefined, { signal: interrupted.signal });
  }
}

function show(first: Instance, second: Instance, records: RecordInfo[]): void {
  say("\nThe records of both runs:");
  for (const record of records) say(`  ${inWords(record)}`);
  const { temporalUi, docs } = first.endpoints();
  const [{ workflowId }] = records as [RecordInfo];
  say("\nTo look at:");
  say(
    `  the run in Temporal  ${temporalUi}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`,
  );
  say(
    `  the API              ${docs} (login ${first.username}, password ${first.password})`,
  );
  say(
    `  the second instance  ${second.url} (login ${second.username}, password ${second.password})`,
  );
  say(`  the log              ${logFile}`);
  if (ATTENDED) say("\nCtrl-C ends everything and deletes its data.");
}

/** Says what a run did: how many files it sent, and how many were at the target already. */
function inWords(record: RecordInfo): string {
  const { id, status, replicaOverview: counts, replicatedBytes } = record;
  if (counts === null) return `${id}  ${status}`;
  const sent = counts.success - counts.skip;
  const parts = [
    `${number(counts.planned)} files planned`,
    sent === 0 ? "none sent" : `${number(sent)} sent (${mebibytes(replicatedBytes)})`,
    counts.skip === 0 ? "none there before" : `${number(counts.skip)} there already`,
    counts.failed === 0 ? "none failed" : `${number(counts.failed)} failed`,
  ];
  return `${id}  ${status}: ${parts.join(", ")}`;
}

/** Ends the second instance first, because it uses the first one's Temporal server. */
async function end(): Promise<void> {
  for (const one of instances.toReversed())
    await one.then((instance) => instance.remove()).catch(() => undefined);
}

async function demonstrate(): Promise<void> {
  say(
    "Two instances of the service on this machine, and real files replicated from one to the other. " +
      `${ATTENDED ? "Ctrl-C ends it" : "It ends by itself"} and deletes what it made.\n`,
  );
  await temporalAtHand();
  const first = await step("Starting Temporal and the first instance", () =>
    start({ embedded: true }),
  );
  const { temporal } = first.endpoints();
  const second = await step("Starting a second instance on the same Temporal", () =>
    start({ temporalAddress: temporal, env: { LOCAL_CLUSTER_NAME: "second" } }),
  );
  await replicate(first, second);
  if (ATTENDED && !interrupted.signal.aborted) await once(interrupted.signal, "abort");
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(name, () => interrupted.abort());
let failure: unknown;
try {
  await demonstrate();
} catch (error) {
  if (!interrupted.signal.aborted) failure = error;
}
if (failure !== undefined)
  say(
    `\n\nThat did not work: ${failure instanceof Error ? failure.message : String(failure)}\nThe log: ${logFile}`,
  );
say("\nEnding …");
await end();
if (failure === undefined) rmSync(folder, { recursive: true, force: true });
process.exit(failure === undefined ? 0 : 1);
