import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApplicationFailure, Client } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import { clientConnection } from "../../temporal/connect.ts";
import { runBase } from "../../domain/run-names.ts";
import { realTimeWorkflowId, TASK_RUN } from "../../workflows/contract.ts";
import { closed, createGate, follow, unique, type Product, type TaskDraft } from "../run-fixture.ts";
import { readHistories, type History } from "../run-histories.ts";
import { startFileRig, startImageRig, type FileRig, type ImageRig } from "../run-rig.ts";
import { fillRegistry, fillRepository } from "../run-sources.ts";
import type { Fault } from "../servers/proxy.ts";
import { startImpatientServer } from "./server.ts";

/** `node --import tsx test/histories/record.ts`: runs every shape of every workflow and saves the histories that replay.test.ts replays. To be run when workflows changed on purpose. */

const SUGGESTS_ANEW_AFTER = 20;
const server = await startImpatientServer(SUGGESTS_ANEW_AFTER);
const options = { temporalAddress: server.address, env: { RETRY_WINDOW: "60s" } };
const [images, files] = await Promise.all([startImageRig(options), startFileRig(options)]);
const connection = clientConnection({ temporalAddress: server.address });
const client = new Client({ connection });

const shapes: Record<string, () => Promise<void>> = {
  "images-sent": async () => save("images-sent", images.product, await sendImages("sent")),
  "images-fast-fail": async () => {
    breakTarget(({ method, path }) => (method === "PUT" && path.includes("/manifests/v2") ? { kind: "answer", status: 413 } : null));
    await save("images-fast-fail", images.product, await sendImages("strict", { setting: { errorStrategy: "FAST_FAIL" } }));
  },
  "images-again": async () => {
    const refused = new Set<string>();
    breakTarget(({ method, path }) => {
      if (method !== "PUT" || !path.includes("/manifests/") || refused.has(path)) return null;
      refused.add(path);
      return { kind: "answer", status: 503 };
    });
    await save("images-again", images.product, await sendImages("again"));
  },
  "images-listed-again": async () => {
    let refusals = 0;
    images.source.proxy.fault = ({ path }) => (path.startsWith("/v2/_catalog") && (refusals += 1) <= 2 ? { kind: "answer", status: 503 } : null);
    await save("images-listed-again", images.product, await sendImages("listed"));
  },
  "images-stopped": async () => {
    const { until } = createGate();
    breakTarget(({ method, path }) => (method === "PUT" && path.includes("/manifests/v2") ? { kind: "hold", until } : null));
    const key = await sendImages("stopped");
    await follow(images.product, key, () => images.target.proxy.requests.some(({ path, closed: ended }) => path.includes("/stopped/") && ended === null));
    await images.product.stop(key);
    await save("images-stopped", images.product, key);
  },
  "images-batch-lost": async () => {
    const { until } = createGate();
    breakTarget(({ method, path }) => (method === "PUT" && path.includes("/manifests/") ? { kind: "hold", until } : null));
    const key = await sendImages("lost");
    const record = await follow(images.product, key, () => images.target.proxy.requests.some(({ path, closed: ended }) => path.includes("/lost/") && ended === null));
    const workflowId = `${record.workflowId}/target/images`;
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    for (const { activityId } of raw.pendingActivities ?? []) await client.activity.fail({ workflowId, activityId: activityId ?? "" }, ApplicationFailure.nonRetryable("its worker died"));
    await save("images-batch-lost", images.product, key);
  },
  "files-sent": async () => save("files-sent", files.product, await sendFiles(["few"])),
  "files-two-by-two": async () => {
    const second = await files.product.partner(unique("second"), files.edge, files.proxy.url);
    await save("files-two-by-two", files.product, await sendFiles(["one", "two"], { clusters: [files.cluster, second] }));
  },
  "files-anew": async () => save("files-anew", files.product, await sendFiles(["many"], {}, 500)),
  "files-fired": async () => {
    const setting = { executionStrategy: "CRON_EXPRESSION", executionPlan: { executeImmediately: false, cronExpression: "0/2 * * * * ?" } };
    const key = await sendFiles(["fired"], { setting });
    await untilFired(key, 1);
    await saveFirings("files-fired", key);
    for (let busy = false; !busy; ) {
      const { until, letGo } = createGate();
      files.proxy.fault = ({ path }) => (path.includes("/sync/") ? { kind: "hold", until } : null);
      busy = await files.product.execute(key).then(() => true, () => false);
      if (busy) while ((await files.product.task(key)).skippedTimes === 0) await sleep(100);
      files.proxy.fault = () => null;
      letGo();
      await closed(files.product, key);
    }
    await files.product.toggle(key);
    await saveFirings("files-fired", key);
  },
  "real-time": async () => {
    const { until, letGo } = createGate();
    files.proxy.fault = ({ path }) => (path.includes("/sync/v1/files/") ? { kind: "hold", until } : null);
    const key = await sendFiles(["followed"], { replicaType: "REAL_TIME" }, 0);
    await fillRepository(files.product, files.projectId, "followed", [10, 20, 30]);
    await untilFired(key, 1);
    await files.product.upload(files.projectId, "followed", "/late.bin", Buffer.from("late"));
    letGo();
    await follow(files.product, key, ({ status, counts }) => status !== "RUNNING" && counts.success > 0);
    for (let at = 0; at < 12; at += 1) {
      await files.product.upload(files.projectId, "followed", `/more-${at}.bin`, Buffer.from(`more ${at}`));
      await closed(files.product, key);
    }
    await files.product.remove(key);
    const runs = new Map<string, History>();
    for await (const { workflowId, runId } of client.workflow.list({ query: `WorkflowId = '${realTimeWorkflowId(key, files.cluster)}'` })) {
      for (const [id, history] of await readHistories(server.address, workflowId, runId)) runs.set(id, history);
    }
    write("real-time", runs);
  },
};

try {
  for (const name of readdirSync(import.meta.dirname)) if (name.endsWith(".json")) rmSync(join(import.meta.dirname, name));
  await fillRegistry(images.source.url, ["team/app", "team/other"], 3);
  for (const [name, run] of Object.entries(shapes)) {
    images.source.proxy.fault = images.target.proxy.fault = files.proxy.fault = () => null;
    await run();
    console.log(name);
  }
} finally {
  await connection.close();
  await Promise.allSettled([images.end(), files.end()]);
  await server.stop();
}

function breakTarget(fault: (request: { method: string; path: string }) => Fault | null): void {
  images.target.proxy.fault = fault;
}

function sendImages(to: string, draft: Partial<TaskDraft> = {}): Promise<string> {
  return (images satisfies ImageRig).product.run({ projectId: images.projectId, objects: [{ localRepoName: "images", repoType: "OCI", remoteProjectId: to }], clusters: [images.cluster], ...draft });
}

async function sendFiles(names: string[], draft: Partial<TaskDraft> = {}, count = 5): Promise<string> {
  const { product, projectId, cluster } = files satisfies FileRig;
  for (const name of names) {
    await product.hosted(projectId, name);
    await fillRepository(product, projectId, name, Array.from({ length: count }, (_, at) => at + 1));
  }
  return product.run({ projectId, objects: names.map((localRepoName) => ({ localRepoName, repoType: "GENERIC" })), clusters: [cluster], ...draft });
}

async function untilFired(key: string, times: number): Promise<void> {
  while ((await files.product.records(key)).length < times) await sleep(100);
}

/** The newest run of a task and its children. */
async function save(name: string, product: Product, key: string): Promise<void> {
  const { workflowId } = await closed(product, key);
  write(name, await readHistories(server.address, workflowId));
}

/** One firing that ran, and where there is one, one that found a run under way. */
async function saveFirings(name: string, key: string): Promise<void> {
  const kinds = new Map<string, Map<string, History>>();
  const base = runBase(await files.product.task(key));
  for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${TASK_RUN}' AND ExecutionStatus = 'Completed' AND WorkflowId STARTS_WITH '${base}-'` })) {
    const histories = await readHistories(server.address, workflowId);
    kinds.set(histories.size > 1 ? name : `${name}-busy`, histories);
  }
  for (const [kind, histories] of kinds) write(kind, histories);
}

/** Without what names this machine, and what replay does not look at. */
function write(name: string, histories: Map<string, History>): void {
  const seen = new Map<string, number>();
  for (const [, history] of [...histories].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const json = JSON.parse(historyToJSON(history)) as { events: { workflowExecutionStartedEventAttributes: { workflowType: { name: string } } }[] };
    const type = json.events[0]?.workflowExecutionStartedEventAttributes.workflowType.name ?? "";
    const number = (seen.get(type) ?? 0) + 1;
    seen.set(type, number);
    const plain = JSON.stringify(json, (key, value: unknown) => (key === "identity" ? "recorder" : key === "stackTrace" ? "" : value));
    const text = plain.replaceAll(`@${hostname()}`, "@host");
    writeFileSync(join(import.meta.dirname, `${name}.${type}${number === 1 ? "" : `-${number}`}.json`), `${text}\n`);
  }
}
