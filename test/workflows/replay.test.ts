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
 * Histories of every shape of every workflow by release, recorded by test/workflows/histories/record.ts. Runs that are
 * under way at an upgrade look like these.
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

/** The bundle without and with the interceptors for traces: a run may begin with one and go on with the other. */
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

test("the newest saved histories belong to this release, and those of the last two releases exist", () => {
  expect(NEWEST).toBe(RELEASE);
  expect(RELEASES.length).toBeGreaterThanOrEqual(SUPPORTED);
  expect(RELEASES.filter((release) => readRelease(release).length === 0)).toEqual([]);
  const described = readFileSync(path("histories/README.md"), "utf8");
  for (const release of RELEASES) expect(described).toContain(`\`${release}\``);
});

test("the newest saved histories contain every shape that a run can have", () => {
  const lacking = Object.entries(REQUIRED).filter(([, { type, has, lacks = [] }]) => {
    const fits = ({ features }: Shape) =>
      has.every((feature) => features.has(feature)) &&
      !lacks.some((feature) => features.has(feature));
    return !SHAPES.some((shape) => shape.type === type && fits(shape));
  });
  expect(lacking.map(([name]) => name)).toEqual([]);
});

test("the newest saved histories contain every workflow, activity and signal, and some release every patch", () => {
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
  // Only `isSince` uses patches: runs that today's code begins have none.
  expect(sources.filter((text) => /\bpatched\(/.test(text))).toHaveLength(1);
  expect(
    SHAPES.flatMap(({ features }) =>
      [...features].filter((feature) => feature.startsWith("patch ")),
    ),
  ).toEqual([]);
});

test.each([
  ["without traces", () => bundle],
  ["with traces", () => traced],
])("every saved history replays %s", async (_how, workflowBundle) => {
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
    "requests another activity",
    "activityTaskScheduledEventAttributes",
    "activityType",
    { name: "somethingElse" },
  ],
  [
    "gives its child another id",
    "startChildWorkflowExecutionInitiatedEventAttributes",
    "workflowId",
    "another",
  ],
])(
  "a history of code that %s does not replay",
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
