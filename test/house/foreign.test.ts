import { expect, test } from "vitest";
import { isTest, readSources } from "../measure/sources.ts";

/**
 * Files that may parse JSON without limits: the reader itself, and those that read what this program has written
 * (its database, sealed texts, cursors, signed tokens, the lines of its own processes).
 */
const OWN_TEXTS = [
  "activities/registries/npm/lister.ts",
  "activities/registries/oci/copy/listing.ts",
  "activities/secrets/credentials.ts",
  "activities/secrets/registry-token.ts",
  "api/hosted/npm/packuments.ts",
  "db/plan/hosted.ts",
  "db/records/snapshots.ts",
  "db/runs/batch.ts",
  "db/runs/open.ts",
  "db/schema/columns.ts",
  "domain/foreign/json.ts",
  "logs.ts",
  "temporal/process.ts",
  "temporal/server.ts",
];

/** Files that parse bodies which a middleware has counted before (api/http/bounded-body.ts, api/internal/routes.ts). */
const COUNTED = ["api/http/unknown-fields.ts", "api/internal/"];

const sources = readSources(".").filter((source) => !isTest(source));

test("what comes from outside is parsed by the reader with limits alone", () => {
  const parsing = sources
    .filter(({ text }) => /JSON\.parse\(/.test(text))
    .map(({ path }) => path);
  expect(parsing.filter((path) => !OWN_TEXTS.includes(path))).toEqual([]);
});

test("no body is parsed by the library that carries it, unless it was counted before", () => {
  const parsing = sources
    .filter(({ text }) =>
      /(?:body|answer|response|req|request)\.json(?:<[^(]*>)?\(\)/.test(text),
    )
    .map(({ path }) => path);
  expect(
    parsing.filter((path) => !COUNTED.some((counted) => path.startsWith(counted))),
  ).toEqual([]);
});

test("SQL adds with total(), which cannot overflow: some sizes are only what others say", () => {
  const adding = sources
    .filter(({ path, text }) => path.startsWith("db/") && /[^\w]sum\([^)\s]/i.test(text))
    .map(({ path }) => path);
  expect(adding).toEqual([]);
});
