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

test("a line for people names what is not usual, and an error's message without its stack", () => {
  const err = { type: "Error", message: "no space is left", stack: "Error\n    at x" };
  const line = JSON.stringify({ ...base, level: 50, msg: "not stored", err });
  expect(lineFor(line, false)).toBe(
    "03:04:05 control      ERROR not stored: no space is left",
  );
  expect(lineFor(line, true)).toContain("no space is left\nError\n    at x");
});
