import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import { DeterminismViolationError } from "@temporalio/workflow";
import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../config.ts";
import { bundleWorkflows } from "../../temporal/bundle.ts";
import { NO_SPANS } from "../../temporal/tracing.ts";
import { createDrainActivities } from "../../activities/control/drains.ts";
import { createRunActivities } from "../../activities/control/runs.ts";
import { createTransferActivities } from "../../activities/transfer/activities.ts";
import { MORE, WAKE } from "../../workflows/contract.ts";
import * as workflows from "../../workflows/index.ts";
import {
  readRelease,
  RELEASE,
  releases,
  type SavedHistory,
  SUPPORTED,
} from "./histories/releases.ts";
import { REQUIRED, RETIRED } from "./histories/required.ts";
import { type Shape, shapeOf } from "./histories/shape.ts";

/**
 * Releases with saved workflow histories, oldest first. test/workflows/histories/record.ts records them. A run that is
 * under way during an upgrade has such a history, and the new code must be able to replay it.
 */
const RELEASES = releases();
const NEWEST = RELEASES.at(-1) ?? "";
const HISTORIES = RELEASES.flatMap(readRelease);
const SHAPES = HISTORIES.filter(({ release }) => release === NEWEST).map(shapeOf);
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const idOf = ({ history: { events } }: SavedHistory) =>
  (
    events[0]?.["workflowExecutionStartedEventAttributes"] as
      { workflowId?: string } | undefined
  )?.workflowId ?? "";
const copyOf = (saved: SavedHistory): SavedHistory =>
  JSON.parse(JSON.stringify(saved)) as SavedHistory;

/** Workflow bundles without and with tracing. A run may begin in one of them and continue in the other. */
let bundle: { codePath: string };
let traced: { codePath: string };
beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger("ERROR"),
    telemetryOptions: { logging: { forward: { level: "ERROR" } } },
  });
  const { cacheDir } = loadConfig(process.env);
  const options = {
    entry: path("../../workflows/index.ts"),
    sources: [path("../../workflows"), path("../../domain")],
    cacheDir,
    log: pino({ level: "silent" }),
  };
  bundle = { codePath: await bundleWorkflows(options) };
  traced = {
    codePath: await bundleWorkflows({
      ...options,
      interceptors: path("../../workflows/tracing.ts"),
    }),
  };
});

test("the newest saved workflow histories belong to this release, and those of its predecessor exist", () => {
  expect(NEWEST).toBe(RELEASE);
  expect(RELEASES.length).toBeGreaterThanOrEqual(SUPPORTED);
  expect(RELEASES.filter((release) => readRelease(release).length === 0)).toEqual([]);
  const described = readFileSync(path("histories/README.md"), "utf8");
  for (const release of RELEASES) expect(described).toContain(`\`${release}\``);
});

test("the newest saved workflow histories contain every kind of run that required.ts lists", () => {
  const lacking = Object.entries(REQUIRED).filter(([, { type, has, lacks = [] }]) => {
    const fits = ({ features }: Shape) =>
      has.every((feature) => features.has(feature)) &&
      !lacks.some((feature) => features.has(feature));
    return !SHAPES.some((shape) => shape.type === type && fits(shape));
  });
  expect(lacking.map(([name]) => name)).toEqual([]);
});

test("the newest saved histories contain every workflow, activity and signal, and old ones every patch", () => {
  const seen = new Set(SHAPES.flatMap(({ type, features }) => [type, ...features]));
  const none = {} as never;
  const activities = [
    createRunActivities(none),
    createDrainActivities(none),
    createTransferActivities(none),
  ].flatMap((all) => Object.keys(all));
  const sources = readdirSync(path("../../workflows")).map((file) =>
    readFileSync(path(`../../workflows/${file}`), "utf8"),
  );
  const known = [
    ...Object.keys(workflows),
    ...activities,
    `signal ${WAKE}`,
    `signal ${MORE}`,
  ];
  expect(known.filter((one) => !seen.has(one) && !RETIRED.includes(one))).toEqual([]);
  const patches = sources.flatMap((text) =>
    [...text.matchAll(/\bisSince\(\w+, "([^"]+)"\)/g)].map(([, id]) => `patch ${id}`),
  );
  expect(patches.length).toBeGreaterThan(0);
  const ever = new Set(HISTORIES.flatMap((saved) => [...shapeOf(saved).features]));
  expect(patches.filter((patch) => !ever.has(patch))).toEqual([]);
  // Only the function `isSince` calls `patched`, and it sets no patch in runs that this release begins.
  expect(sources.filter((text) => /\bpatched\(/.test(text))).toHaveLength(1);
  expect(
    SHAPES.flatMap(({ features }) =>
      [...features].filter((feature) => feature.startsWith("patch ")),
    ),
  ).toEqual([]);
});

test.each([
  ["without the tracing interceptors", () => bundle],
  ["with the tracing interceptors", () => traced],
])("every saved workflow history can be replayed %s", async (_how, workflowBundle) => {
  const failed: string[] = [];
  const histories = HISTORIES.map((saved) => ({
    workflowId: idOf(saved),
    history: saved.history,
  }));
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle: workflowBundle(), sinks: NO_SPANS },
    histories,
  )) {
    const names = HISTORIES.filter((saved) => idOf(saved) === workflowId).map(
      ({ release, name }) => `${release}/${name}`,
    );
    if (error) failed.push(`${names.join(" or ")}: ${error.message}`);
  }
  expect(failed).toEqual([]);
});

test.each([
  [
    "requested another activity",
    "activityTaskScheduledEventAttributes",
    "activityType",
    { name: "somethingElse" },
  ],
  [
    "gave its child another id",
    "startChildWorkflowExecutionInitiatedEventAttributes",
    "workflowId",
    "another",
  ],
])(
  "a workflow history of code that %s cannot be replayed",
  async (_what, attributes, field, value) => {
    const saved = copyOf(
      HISTORIES.find(
        ({ release, name }) =>
          release === NEWEST && name.startsWith("files-sent.taskRun"),
      ) as SavedHistory,
    );
    for (const event of saved.history.events)
      if (event[attributes])
        Object.assign(event[attributes] as object, { [field]: value });
    await expect(
      Worker.runReplayHistory({ workflowBundle: bundle }, saved.history, idOf(saved)),
    ).rejects.toThrow(DeterminismViolationError);
  },
);
