import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import { DeterminismViolationError } from "@temporalio/workflow";
import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { loadConfig } from "../config.ts";
import { bundleWorkflows } from "../temporal/bundle.ts";
import * as workflows from "../workflows/index.ts";

/** Histories of every shape of every workflow, made by test/histories/record.ts; runs that are under way at an upgrade look like these. */
const FOLDER = join(import.meta.dirname, "histories");
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

type Saved = { events: { workflowExecutionStartedEventAttributes?: { workflowId: string }; activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[] };
const read = (name: string): Saved => JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Saved;
const idOf = ({ events }: Saved) => events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? "";

let bundle: { codePath: string };
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger("ERROR"), telemetryOptions: { logging: { forward: { level: "ERROR" } } } });
  const { cacheDir } = loadConfig(process.env);
  const codePath = await bundleWorkflows({ entry: path("../workflows/index.ts"), sources: [path("../workflows"), path("../domain")], cacheDir, log: pino({ level: "silent" }) });
  bundle = { codePath };
});

test("every workflow has saved histories", () => {
  const types = new Set(NAMES.map((name) => name.split(".")[1]?.replace(/-\d+$/, "")));
  expect([...types].toSorted()).toEqual(Object.keys(workflows).toSorted());
});

test("every saved history replays", async () => {
  const histories = NAMES.map((name) => ({ workflowId: idOf(read(name)), history: read(name) }));
  const failed: string[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: bundle }, histories)) {
    if (error) failed.push(`${NAMES.filter((name) => idOf(read(name)) === workflowId).join(" or ")}: ${error.message}`);
  }
  expect(failed).toEqual([]);
});

test("a history of other code does not", async () => {
  const history = read(NAMES.find((name) => name.startsWith("files-sent.targetRun")) ?? "");
  for (const { activityTaskScheduledEventAttributes: scheduled } of history.events) if (scheduled) scheduled.activityType.name = "somethingElse";
  await expect(Worker.runReplayHistory({ workflowBundle: bundle }, history, idOf(history))).rejects.toThrow(DeterminismViolationError);
});
