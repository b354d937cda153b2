/**
 * What looking for secrets in foreign texts may still cost: `steps` (letters that are looked at, in all their forms),
 * `bytes` that packed contents become, and tries to unpack one. What is beyond it is hidden, because it is unexamined.
 */
export type Budget = { steps: number; bytes: number; tries: number };

const KIB = 1024;
/** For one text: many times what a message as long as we read takes. */
const OF_TEXT: Readonly<Budget> = { steps: 256 * KIB, bytes: 16 * KIB, tries: 200 };

/** The budget of the texts in the answer to one request that failed. */
export const budgetOfError = (): Budget => ({
  steps: 512 * KIB,
  bytes: 64 * KIB,
  tries: 1_000,
});

/** The budget of what an answer says about each of up to 1,000 artifacts: ordinary sentences and digests fit in it. */
export const budgetOfAnswers = (): Budget => ({
  steps: 4 * 1024 * KIB,
  bytes: 128 * KIB,
  tries: 20_000,
});

/** Returns the budget of the next text of an answer that has `rest` left. */
export const budgetOfText = (rest: Readonly<Budget> = OF_TEXT): Budget => ({
  steps: Math.min(OF_TEXT.steps, rest.steps),
  bytes: Math.min(OF_TEXT.bytes, rest.bytes),
  tries: Math.min(OF_TEXT.tries, rest.tries),
});

/** Takes from `rest` what a text has cost that began with `before` and ended with `after`. */
export function charge(rest: Budget, before: Budget, after: Budget): void {
  rest.steps -= before.steps - after.steps;
  rest.bytes -= before.bytes - after.bytes;
  rest.tries -= before.tries - after.tries;
}

/** Takes steps; false when they are not left. */
export function spend(budget: Budget, steps: number): boolean {
  budget.steps = Math.max(0, budget.steps - steps);
  return budget.steps > 0;
}
