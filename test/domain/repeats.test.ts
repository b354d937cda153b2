import { expect, test } from "vitest";
import { createRepeats } from "../../temporal/reminder.ts";

test("a sentence that is repeated is due at once and then once a minute; others are due at once", () => {
  const time = { now: 5 };
  const isDue = createRepeats(() => time.now);
  const at = (now: number, sentence: string) => {
    time.now = now;
    return isDue(sentence);
  };
  expect([
    at(5, "the server is away"),
    at(6, "the server is away"),
    at(7, "a poll failed"),
    at(60_004, "the server is away"),
    at(60_005, "the server is away"),
    at(60_006, "the server is away"),
    at(60_007, "a poll failed"),
  ]).toEqual([true, false, true, false, true, false, true]);
});
