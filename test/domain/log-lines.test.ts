import { expect, test } from "vitest";
import { lineFor } from "../../logs.ts";

const time = new Date(2026, 0, 2, 3, 4, 5).getTime();
const base = { level: 30, time, pid: 7, process: "control", msg: "answered" };

test("a line for people has time, process, sentence and facts", () => {
  const line = { ...base, status: 200, path: "/health", traceId: "0af7" };
  expect(lineFor(JSON.stringify(line), false)).toBe(
    "03:04:05 control      answered (status 200, path /health)",
  );
});

test("a line for people stays one line when a foreign text has several", () => {
  const line = lineFor(
    JSON.stringify({ ...base, msg: "it said <html>\n  <p>no" }),
    false,
  );
  expect(line).toBe("03:04:05 control      it said <html> <p>no");
});

test("a line for people has no control characters of foreign texts", () => {
  const forged = "/a\r\n03:04:05 control\u001b[2J\u009b\u2028b";
  const err = { message: forged, stack: `Error: ${forged}\n    at \u001b[1mx` };
  const json = JSON.stringify({ ...base, msg: forged, path: forged, err });
  const lines = lineFor(json, true).split("\n");
  const clean = "/a 03:04:05 control [2J b";
  expect(lines[0]).toBe(`03:04:05 control      ${clean}: ${clean} (path ${clean})`);
  expect(lines.slice(1)).toEqual([
    "Error: /a ",
    "03:04:05 control [2J b",
    "    at  [1mx",
  ]);
});

test("a line for people is bounded, and soon made, however long a foreign text is", () => {
  const long = " \t".repeat(500_000);
  const err = { message: long, stack: long };
  const line = lineFor(JSON.stringify({ ...base, msg: long, path: long, err }), true);
  expect(line.length).toBeLessThan(15_000);
  expect(line).toContain("…");
});

test("a line for people names what is not usual, and an error's message without its stack", () => {
  const err = { type: "Error", message: "no space is left", stack: "Error\n    at x" };
  const line = JSON.stringify({ ...base, level: 50, msg: "not stored", err });
  expect(lineFor(line, false)).toBe(
    "03:04:05 control      ERROR not stored: no space is left",
  );
  expect(lineFor(line, true)).toContain("no space is left\nError\n    at x");
});
