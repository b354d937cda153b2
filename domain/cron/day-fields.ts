import { text } from "../text.ts";
import { CronError } from "./expression.ts";
import { DAY_FIELDS } from "./field.ts";

const MONTH_DAY = 3;
const WEEK_DAY = 5;
const NO_DAY = text(
  'both are "?", so no day is named; write "*" for one of them',
  "两者都是“?”，没有指定日期；请将其中之一写成“*”",
);
const TWO_DAYS = text(
  'neither is "?"; Quartz takes only one of them',
  "两者都不是“?”；Quartz 只允许指定其中之一",
);

/**
 * Refuses a Quartz expression (6 or 7 fields) unless exactly one of day of month and day of week is "?", as
 * Quartz does. The CronError suggests a valid expression. `parseCron` does not check this, because
 * expressions that earlier releases saved are still parsed and still start runs.
 */
export function checkDayFields(expression: string): void {
  const fields = expression.trim().split(/\s+/);
  if (fields.length < 6) return;
  const open = [MONTH_DAY, WEEK_DAY].filter((at) => fields[at] === "?");
  if (open.length === 1) return;
  const { en, zh } = open.length === 2 ? NO_DAY : TWO_DAYS;
  const right = mended(fields).join(" ");
  throw new CronError(DAY_FIELDS, text(`${en}: ${right}`, `${zh}：${right}`));
}

/** Returns the fields of a valid expression with the meaning that the refused one apparently has. */
function mended(fields: readonly string[]): string[] {
  if (fields[MONTH_DAY] === "?") return fields.with(MONTH_DAY, "*");
  return fields.with(fields[WEEK_DAY] === "*" ? WEEK_DAY : MONTH_DAY, "?");
}
