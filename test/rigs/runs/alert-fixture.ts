import { expect } from "vitest";
import { type Alert, expressionOf } from "../../../domain/alerts.ts";
import { findJudge } from "../servers/promql.ts";

const MINUTE = 60_000;
const judge = await findJudge();

/**
 * Returns whether Prometheus' own engine finds an alert's expression true for a scrape that follows an
 * earlier one by a minute. Returns true if the engine is not available.
 */
export async function isAlerted(
  alert: Alert,
  text: string,
  before = text,
): Promise<boolean> {
  if (judge === null) return true;
  const now = Date.now();
  const expression = expressionOf(alert);
  const { results, problems } = await judge({
    scrapes: [
      { at: now - MINUTE, text: before },
      { at: now, text },
    ],
    expressions: [expression],
  });
  expect(
    problems.filter((problem) => !problem.startsWith("replication_nodejs_")),
  ).toEqual([]);
  return (results[expression] ?? []).length > 0;
}
