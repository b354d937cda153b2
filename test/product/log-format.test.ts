import { describe, expect, test } from "vitest";
import { canStart, type Starter, startWrongly } from "../rigs/runs/mistaken-start.ts";

/** A start that warns of a variable and then ends. */
const ENDING = { TRANSFER_WORKER: "1", DATA_DIR: "/proc/data" };
const SENTENCE =
  "TRANSFER_WORKER is not a setting and has no effect; is TRANSFER_WORKERS meant?";
const LINE = /^\d\d:\d\d:\d\d supervisor {3}WARNING /;
/** Runs a command at a pseudo-terminal, with the `script` of util-linux. */
const TERMINAL: Starter = {
  name: "a terminal",
  command: ["sh", "-c", 'script -qec "$*" /dev/null', "sh"],
};

const firstLine = async (env: Record<string, string>, command?: readonly string[]) => {
  const { output } = await startWrongly("main", { ...ENDING, ...env }, command);
  return output.split(/\r?\n/)[0] ?? "";
};

describe("the format of the log", () => {
  test("a log that goes to no terminal has a JSON object in each line", async () => {
    const line = JSON.parse(await firstLine({})) as object;
    expect(line).toEqual({
      level: 40,
      time: expect.any(Number),
      process: "supervisor",
      pid: expect.any(Number),
      msg: SENTENCE,
    });
  });

  test("LOG_FORMAT=text makes lines for people anywhere", async () => {
    const line = await firstLine({ LOG_FORMAT: "text" });
    expect(line).toMatch(LINE);
    expect(line).toContain(SENTENCE);
  });

  test("a log at a terminal has lines for people, unless LOG_FORMAT=json", async ({
    skip,
  }) => {
    if (!canStart(TERMINAL)) skip("the `script` of util-linux is not here");
    expect(await firstLine({}, TERMINAL.command)).toMatch(LINE);
    expect(await firstLine({ LOG_FORMAT: "json" }, TERMINAL.command)).toContain(
      `"msg":"${SENTENCE}"`,
    );
  });
});
