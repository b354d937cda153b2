import { expect, test } from "vitest";
import { findLongLines } from "../measure/lines.ts";
import { readSources } from "../measure/sources.ts";

test("no line of a source file has more than 120 characters", () => {
  const long = readSources(".").flatMap(({ path, text }) =>
    findLongLines(text).map((line) => `${path}:${line}`),
  );
  expect(long).toEqual([]);
});
