/** The log of a process: JSON for machines, or lines for people at a terminal. */

import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";
import { shortened } from "./domain/shortened.ts";

type LogSettings = Pick<Config, "logLevel" | "logFormat">;

/** Names of pino's levels that a line shows; info, the usual one, is not shown. */
const SHOWN: Readonly<Record<number, string>> = {
  10: "TRACE",
  20: "DEBUG",
  40: "WARNING",
  50: "ERROR",
  60: "FATAL",
};
const DEBUG = 20;
/** Facts of each line that are shown elsewhere in it, or that help no reader. */
const UNTOLD = new Set(["level", "time", "pid", "process", "msg", "err", "traceId"]);
const LONGEST_FACT = 200;
const LONGEST_SENTENCE = 2_000;
const LONGEST_STACK = 10_000;
/** Control characters of foreign texts, which could forge lines or steer a terminal, and the blanks after them. */
const CONTROLS = /[\p{Cc}\u2028\u2029][\p{Cc}\u2028\u2029 ]*/gu;
const WIDEST_NAME = "orchestrator".length;
/** Bytes of lines that are kept while stdout takes none, as for a file on a full disk; more are lost. */
const KEPT_BYTES = 256 * 1_024;

type Line = {
  level: number;
  time: number;
  process?: string;
  msg?: string;
  err?: { message?: string; stack?: string };
};

/** Whether a process of these settings writes lines for people: where nothing is set, at a terminal. */
export const logFormatOf = ({ logFormat }: LogSettings): "text" | "json" =>
  logFormat ?? (process.stdout.isTTY ? "text" : "json");

/** Creates the log of a process of that name, which writes to stdout and never throws. */
export function createLog(name: string, settings: LogSettings): Logger {
  const options = { level: settings.logLevel, base: { process: name, pid: process.pid } };
  const output = openOutput((facts) =>
    log.warn(facts, "The log could not be written for a time; it is written again"),
  );
  const withStacks = pino.levels.values[settings.logLevel] ?? Number.POSITIVE_INFINITY;
  const log =
    logFormatOf(settings) === "json"
      ? pino(options, output)
      : pino(options, {
          write: (line: string) =>
            void output.write(`${lineFor(line, withStacks <= DEBUG)}\n`),
        });
  return log;
}

/**
 * Opens stdout for lines. A line that cannot be written is kept (KEPT_BYTES in all) and written before the next one
 * that can; it never throws, because a full disk under a log must not end a process that works. `over` is called once
 * lines are written again, with the reason and how many were lost.
 */
function openOutput(over: (facts: { reason: string; lost: number }) => void) {
  const output = pino.destination({ dest: 1, sync: true, maxLength: KEPT_BYTES });
  let trouble: { reason: string; lost: number } | null = null;
  output.on("error", (error: Error) => (trouble ??= { reason: error.message, lost: 0 }));
  output.on("drop", () => trouble !== null && (trouble.lost += 1));
  output.on("write", () => {
    if (trouble === null) return;
    const ended = trouble;
    trouble = null;
    setImmediate(() => over(ended));
  });
  return output;
}

/**
 * Returns a line of pino's JSON as people read it: time, process, sentence, the reason of an error, and other
 * facts in brackets. `withStacks`: an error is followed by its stack.
 */
export function lineFor(json: string, withStacks: boolean): string {
  const facts = JSON.parse(json) as Line;
  const { level, time, process: name = "", msg = "", err } = facts;
  const clock = new Date(time).toTimeString().slice(0, 8);
  const shown = SHOWN[level] === undefined ? "" : `${SHOWN[level]} `;
  const reason =
    err?.message === undefined ? "" : `: ${fit(err.message, LONGEST_SENTENCE)}`;
  const rest = Object.entries(facts).flatMap(([key, value]) =>
    UNTOLD.has(key) ? [] : [`${key} ${fit(value, LONGEST_FACT)}`],
  );
  const told = rest.length === 0 ? "" : ` (${rest.join(", ")})`;
  const sentence = `${shown}${fit(msg, LONGEST_SENTENCE)}${reason}${told}`;
  const stack = withStacks && err?.stack !== undefined ? stackLines(err.stack) : [];
  return [`${clock} ${name.padEnd(WIDEST_NAME)} ${sentence}`, ...stack]
    .map((line) => line.replaceAll(CONTROLS, " "))
    .join("\n");
}

const stackLines = (stack: string) => fit(stack, LONGEST_STACK).split("\n");

const fit = (value: unknown, longest: number): string =>
  shortened(typeof value === "string" ? value : JSON.stringify(value), longest);
