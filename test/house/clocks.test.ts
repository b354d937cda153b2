import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isTest } from "../measure/sources.ts";

/** Files that do arithmetic with a clock that somebody may set, with the reason why they must. */
const WALL_CLOCK: Record<string, string> = {
  // Times that are stored, so that they outlive the process that noted them.
  "activities/control/cut-in-turn.ts":
    "when a workflow asks again is part of its history",
  "activities/control/listings.ts": "when a workflow asks again is part of its history",
  "activities/control/places.ts": "when a batch was taken is stored",
  "activities/store/sessions.ts": "when an upload last got bytes is the time of its file",
  "api/clusters/health.ts": "when a test did not return is stored",
  "api/hosted/oci/blobs.ts": "when a blob was last asked for is stored",
  "api/metrics/readings.ts": "ages of what is stored, as they are shown",
  "api/runs/reconcile.ts": "when a run began is stored",
  "api/runs/schedule-align.ts": "times of schedules",
  "api/upkeep/housekeeping.ts": "when a content was last used is stored",
  "api/upkeep/scrub.ts": "when a round began is stored; a step back costs haste at most",
  "db/content/blobs.ts": "when a content was last used is stored",
  "db/drains/open.ts": "when a cursor is tried again is stored",
  "db/packages/image/sweep.ts": "when a blob was last asked for is stored",
  "db/pending/cursors.ts": "when a cursor is tried again is stored",
  "db/pending/outcomes.ts": "when an artifact first failed is stored",
  "db/pending/settle.ts": "when a cursor is tried again is stored",
  "db/records/waits.ts": "when an artifact is tried again is stored",
  "db/runs/firings.ts": "times of schedules",
  "db/runs/outcomes.ts": "when an artifact first failed is stored",
  "db/tasks/upkeep.ts": "when a record ended is stored",
  "domain/plan-rules.ts": "times that users set",
  "domain/retry.ts":
    "when an artifact first failed, and is tried again, is stored (RETRY_WINDOW)",
  "workflows/planning.ts": "when a listing is tried again; Temporal's clock",
  "workflows/window.ts": "when an artifact is tried again; Temporal's clock",
  // Times that other machines have said, or that are told to them.
  "api/tls/follow.ts": "when a certificate begins and ends is in it",
  "activities/registries/http-failure.ts": "Retry-After may be a date",
  "activities/secrets/internal.ts": "clocks of workers are compared with ours",
  "activities/secrets/registry-token.ts": "when a token ends is in the token",
  "api/internal/once.ts": "when a request was signed is in the request",
  "temporal/pollers.ts": "when a worker last asked is a time of Temporal's",
  // What is shown to people.
  "activities/control/turns.ts": "since when a run waits, as it is shown",
  "workflows/real-time-run.ts": "when a drain is looked for again, as it is shown",
  // The rule for memory with a stored or shown time.
  "domain/elapsed.ts": "what was noted in the future counts as old",
};

/** Files whose `now` is that of elapsed(), which nobody sets. */
const ELAPSED = [
  "activities/registries/pace.ts",
  "activities/registries/recent.ts",
  "activities/store/open-sessions.ts",
  "api/clusters/passed.ts",
  "api/content/pace.ts",
  "api/http/connections.ts",
  "api/metrics/others.ts",
  "api/runs/stop-watch.ts",
  "db/checkpoint-thread.mjs",
  "temporal/reminder.ts",
];

const CLOCK = String.raw`(?:\b(?:Date|performance)\.now\(\)|\b(?:\w+\.)?now(?:\(\))?)`;
const OPERATOR = String.raw`(?:[-+]|(?<!=)[<>]=?)`;
const ARITHMETIC = new RegExp(
  String.raw`${CLOCK}\s*${OPERATOR}\s|\s${OPERATOR}\s*${CLOCK}(?![\w.(])|abs\(${CLOCK}`,
);
/** Temporal's client takes a time of the wall clock for each deadline. */
const DEADLINE = /withDeadline\(\s*Date\.now\(\) \+/g;
const COMMENT = /^\s*(?:\*|\/\/|\/\*)/;

const files = execFileSync("git", ["ls-files", "*.ts", "*.mjs"], { encoding: "utf8" })
  .trim()
  .split("\n")
  .filter((path) => !isTest({ path, text: "" }));

test("intervals are measured with a clock that nobody sets, except with times that are stored or foreign", () => {
  const found = files.filter((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .some(
        (line) => !COMMENT.test(line) && ARITHMETIC.test(line.replaceAll(DEADLINE, "")),
      ),
  );
  expect(found.toSorted()).toEqual([...Object.keys(WALL_CLOCK), ...ELAPSED].toSorted());
});

test("a file whose now is elapsed() does not read the wall clock", () => {
  const reading = ELAPSED.filter((path) =>
    readFileSync(path, "utf8").replaceAll(DEADLINE, "").includes("Date.now"),
  );
  expect(reading).toEqual([]);
});
