import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createInstanceClient } from "../../activities/registries/instance/client.ts";
import { type Instance, startInstance } from "../rigs/runs/instance.ts";
import {
  openProduct,
  type Product,
  type RecordInfo,
  type TaskDraft,
} from "../rigs/runs/run-fixture.ts";
import { quietHooks } from "../rigs/transfer/instance-fixture.ts";

export type Bench = {
  /** How often the product and its peer each do every piece of work. */
  times: number;
  /** The measured instance with its own Temporal server, and another one on the same server. */
  first: Instance;
  second: Instance;
  product: Product;
  other: Product;
  /** The second instance as a cluster of the first. */
  target: string;
  say: (line: string) => void;
};

/**
 * A record is read again after this share of the elapsed time, so that reading costs little and detects the end early.
 */
const LOOK_SHARE = 0.04;
const STATED_AT_ONCE = 1_000;
const PROJECT = "bench";

export async function createRig(
  times: number,
  say: Bench["say"],
): Promise<Bench & { end: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const common = { logFile: join(folder, "log.ndjson") };
  const first = await startInstance({
    ...common,
    embedded: true,
    env: { LOG_LEVEL: "warn" },
  });
  const { temporal } = first.endpoints();
  const second = await startInstance({
    ...common,
    temporalAddress: temporal,
    env: { LOG_LEVEL: "warn", LOCAL_CLUSTER_NAME: "second" },
  });
  const [product, other] = [openProduct(first), openProduct(second)];
  await product.project(PROJECT);
  const target = await product.partner("second", second);
  const end = async () => {
    await second.remove();
    await first.remove();
    rmSync(folder, { recursive: true, force: true });
  };
  return { times, first, second, product, other, target, say, end };
}

/** Creates a hosted repository with these files in the fastest way available. */
export async function hosted(
  { first, product }: Pick<Bench, "first" | "product">,
  name: string,
  files: Iterable<{ path: string; content: Buffer }>,
  projectId = PROJECT,
): Promise<void> {
  await product.hosted(projectId, name);
  const client = createInstanceClient({
    url: first.url,
    username: first.username,
    password: first.password,
  });
  const hooks = quietHooks();
  const send = async (group: { path: string; content: Buffer }[]) => {
    const now = Date.now();
    const files = group.map(({ path, content }) => {
      const sha256 = createHash("sha256").update(content).digest("hex");
      return {
        path,
        size: content.length,
        sha256,
        metadata: {},
        attached: true,
        createdBy: "bench",
        createdDate: now,
        lastModifiedBy: "bench",
        lastModifiedDate: now,
      };
    });
    const rules = {
      type: "GENERIC" as const,
      conflictStrategy: "SKIP" as const,
      includeMetadata: true,
    };
    const answers = await client.sendFiles(
      { projectId, repoName: name },
      { ...rules, files },
      group.map(({ content }) => content),
      hooks,
    );
    if (answers.some(({ result }) => result !== "made"))
      throw new Error(`the files of ${name} could not be created`);
  };
  let group: { path: string; content: Buffer }[] = [];
  let bytes = 0;
  for (const file of files) {
    if (group.length === STATED_AT_ONCE || bytes + file.content.length > 4 * 1024 ** 2) {
      await send(group);
      group = [];
      bytes = 0;
    }
    group.push(file);
    bytes += file.content.length;
  }
  if (group.length > 0) await send(group);
  await client.close();
}

type Run = { key: string; ms: number; record: RecordInfo };

/** Creates a task, which starts at once; `ms` is the time from that call until its record is seen closed. */
export async function runTask(
  product: Product,
  draft: Omit<TaskDraft, "projectId">,
): Promise<Run> {
  const begun = performance.now();
  const key = await product.run({ projectId: PROJECT, ...draft });
  return { key, ...(await closedSince(product, key, begun)) };
}

const ASK_PAUSE_MS = 20;

/** Reads a task's info repeatedly while `goesOn` returns true; returns how many ms each answer took. */
export async function askInfo(
  product: Product,
  key: string,
  goesOn: (asked: number) => boolean,
): Promise<number[]> {
  const all: number[] = [];
  while (goesOn(all.length)) {
    const begun = performance.now();
    await product.task(key);
    all.push(performance.now() - begun);
    await sleep(ASK_PAUSE_MS);
  }
  return all;
}

/** Executes an existing task and waits for the end of its run. */
export async function runAgain(product: Product, key: string): Promise<Run> {
  const begun = performance.now();
  await product.execute(key);
  return { key, ...(await closedSince(product, key, begun)) };
}

async function closedSince(
  product: Product,
  key: string,
  begun: number,
): Promise<{ ms: number; record: RecordInfo }> {
  for (;;) {
    const record = await product.newestRecord(key);
    const ms = performance.now() - begun;
    if (record && record.status !== "RUNNING") {
      if (record.status !== "SUCCESS")
        throw new Error(`the run ended ${record.status}: ${record.errorReason}`);
      return { ms, record };
    }
    await sleep(Math.max(5, ms * LOOK_SHARE));
  }
}

export const fromHosted = (
  localRepoName: string,
  remoteRepoName: string = localRepoName,
): TaskDraft["objects"] => [{ localRepoName, repoType: "GENERIC", remoteRepoName }];

/** Creates a linked repository of the url and returns it as task objects. */
export async function linked(
  product: Product,
  name: string,
  url: string,
): Promise<TaskDraft["objects"]> {
  await product.linked(PROJECT, name, url);
  return [{ localRepoName: name, repoType: "OCI" }];
}

let clusters = 0;
export const registry = (product: Product, url: string): Promise<string> =>
  product.registry(`registry-${(clusters += 1)}`, url);

/** Generates files of random bytes; each has its own content, because equal contents are sent only once. */
export function* randomFiles(
  count: number,
  size: number,
): Generator<{ path: string; content: Buffer }> {
  for (let at = 0; at < count; at += 1)
    yield { path: `/folder-${at % 50}/file-${at}.bin`, content: randomBytes(size) };
}

/** Starts to measure memory; `peaks` returns each process' peak since then in MiB (Linux: proc(5), clear_refs). */
export function watchMemory({ first, second }: Pick<Bench, "first" | "second">): {
  peaks: () => Record<string, number | null>;
} {
  const { control, orchestrator, workers, supervisor, temporal } = first.pids();
  const named = Object.entries({
    control,
    orchestrator,
    worker: workers,
    supervisor,
    temporal,
    "the target's control": second.pids().control,
  });
  const processes = named.map(([name, pids]) => ({
    name,
    pids: [pids].flat().filter((pid) => pid !== null),
  }));
  for (const { pids } of processes) for (const pid of pids) forget(pid);
  return {
    peaks: () =>
      Object.fromEntries(
        processes.map(({ name, pids }) => [name, highest(pids.map(peakOf))]),
      ),
  };
}

const highest = (peaks: (number | null)[]) =>
  peaks.some((peak) => peak === null) ? null : Math.max(...peaks.map(Number));

function forget(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // The peak cannot be reset (not Linux, or not allowed): it then covers the time since the process
    // began, or is unknown.
  }
}

function peakOf(pid: number): number | null {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(
      readFileSync(`/proc/${pid}/status`, "utf8"),
    )?.[1];
    return Math.round(Number(kibibytes) / 1024);
  } catch {
    return null;
  }
}
