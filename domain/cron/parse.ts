import { text } from "../text.ts";
import {
  CronError,
  type CronExpression,
  type MonthDayRule,
  type WeekDayRule,
} from "./expression.ts";
import {
  DAY_FIELDS,
  DAY_OF_MONTH,
  type Field,
  HOUR,
  MINUTE,
  MONTH,
  parseList,
  parseValue,
  QUARTZ_DAY_OF_WEEK,
  SECOND,
  UNIX_DAY_OF_WEEK,
  YEAR,
} from "./field.ts";

const MAX_LENGTH = 1000;
/** First year of Temporal's calendars; the earlier years of Quartz (from 1970) have passed anyway. */
const FIRST_YEAR = 2000;

/**
 * Parses Unix cron (5 fields) or Quartz cron (6, or 7 with the year). Throws CronError with the reason and
 * the wrong field (both day fields together count as one; null: no single field).
 */
export function parseCron(expression: string): CronExpression {
  if (expression.length > MAX_LENGTH)
    throw new CronError(
      null,
      text(`is longer than ${MAX_LENGTH} characters`, `超过 ${MAX_LENGTH} 个字符`),
    );
  const fields = expression.trim().toUpperCase().split(/\s+/);
  if (fields.length < 5 || fields.length > 7 || fields[0] === "") {
    const count = fields[0] === "" ? 0 : fields.length;
    throw new CronError(
      null,
      text(
        `has ${count} fields; write 5 (Unix: minute, hour, day of month, month, day of week) ` +
          "or 6 to 7 (Quartz: second, minute, hour, day of month, month, day of week, year)",
        `有 ${count} 个字段；请写 5 个（Unix：分、时、日、月、星期）` +
          "或 6 到 7 个（Quartz：秒、分、时、日、月、星期、年）",
      ),
    );
  }
  const dialect = fields.length === 5 ? "unix" : "quartz";
  const [
    second = "",
    minute = "",
    hour = "",
    monthDay = "",
    month = "",
    weekDay = "",
    year = "*",
  ] = dialect === "unix" ? ["0", ...fields] : fields;
  const daysOfMonth = parseMonthDays(monthDay);
  const daysOfWeek = parseWeekDays(
    dialect === "unix" ? UNIX_DAY_OF_WEEK : QUARTZ_DAY_OF_WEEK,
    weekDay,
  );
  if (dialect === "quartz" && daysOfMonth && daysOfWeek) {
    throw new CronError(
      DAY_FIELDS,
      text(
        'both are given; Quartz takes only one of them, so write "?" for the other',
        "两者都已指定；Quartz 只允许指定其中之一，请将另一个写成“?”",
      ),
    );
  }
  return {
    source: expression,
    dialect,
    seconds: parseClockField(SECOND, second),
    minutes: parseClockField(MINUTE, minute),
    hours: parseClockField(HOUR, hour),
    months: parseClockField(MONTH, month),
    years: year === "*" ? null : parseYears(year),
    daysOfMonth,
    daysOfWeek,
  };
}

function parseClockField(field: Field, list: string): number[] {
  if (list.includes("?")) {
    throw new CronError(
      field.name,
      text(
        '"?" has a meaning only for the day of month and the day of week',
        "“?”只能用于日和星期",
      ),
    );
  }
  return parseList(field, list);
}

function parseYears(list: string): number[] {
  const years = parseClockField(YEAR, list).filter((year) => year >= FIRST_YEAR);
  if (years.length > 0) return years;
  throw new CronError(
    YEAR.name,
    text(
      `"${list}" lies before ${FIRST_YEAR}, where Temporal's calendars begin`,
      `“${list}”早于 ${FIRST_YEAR} 年，即 Temporal 日历的起点`,
    ),
  );
}

const isOpen = (days: string): boolean => days === "*" || days === "?";

/**
 * Splits a day field: plain values go into one list; each special item (such as `L` or `15W`)
 * becomes a rule. Repeated items count once.
 */
function parseDays<Rule>(
  field: Field,
  list: string,
  special: (item: string) => Rule | null,
): [number[], Rule[]] {
  const plain: string[] = [];
  const rules: Rule[] = [];
  for (const item of new Set(list.split(","))) {
    if (isOpen(item))
      throw new CronError(
        field.name,
        text(
          `"${item}" must be the only value of this field`,
          `“${item}”必须是该字段的唯一值`,
        ),
      );
    const rule = special(item);
    if (rule === null) plain.push(item);
    else rules.push(rule);
  }
  return [plain.length > 0 ? parseList(field, plain.join(",")) : [], rules];
}

function parseMonthDays(list: string): MonthDayRule[] | null {
  if (isOpen(list)) return null;
  const [days, rules] = parseDays<MonthDayRule>(DAY_OF_MONTH, list, specialMonthDay);
  return days.length > 0 ? [{ kind: "days", days }, ...rules] : rules;
}

function specialMonthDay(item: string): MonthDayRule | null {
  const last = /^L(?:-(\d{1,2}))?(W?)$/.exec(item);
  if (last) {
    const offset = Number(last[1] ?? 0);
    if (offset > 30)
      throw new CronError(
        DAY_OF_MONTH.name,
        text(
          `"${item}" goes back more than 30 days: write at most L-30`,
          `“${item}”倒退超过 30 天：最多写 L-30`,
        ),
      );
    return { kind: "last", offset, weekday: last[2] === "W" };
  }
  if (!item.endsWith("W")) return null;
  return { kind: "nearestWeekday", day: parseValue(DAY_OF_MONTH, item.slice(0, -1)) };
}

function parseWeekDays(field: Field, list: string): WeekDayRule[] | null {
  if (isOpen(list)) return null;
  const toDay = (value: number): number => (value - field.min) % 7;
  const [values, rules] = parseDays<WeekDayRule>(field, list, (item) =>
    specialWeekDay(field, item, toDay),
  );
  const days = values.map(toDay);
  return days.length > 0 ? [{ kind: "days", days }, ...rules] : rules;
}

function specialWeekDay(
  field: Field,
  item: string,
  toDay: (value: number) => number,
): WeekDayRule | null {
  if (item === "L") return { kind: "days", days: [6] };
  if (item.endsWith("L"))
    return { kind: "lastInMonth", day: toDay(parseValue(field, item.slice(0, -1))) };
  const [, day = "", nth] = /^([^#]*)#(.*)$/.exec(item) ?? [];
  if (nth === undefined) return null;
  if (!/^[1-5]$/.test(nth))
    throw new CronError(
      field.name,
      text(
        `"${item}" needs a number from 1 to 5 after "#"`,
        `“${item}”的“#”之后必须是 1 到 5 的数字`,
      ),
    );
  return { kind: "nth", day: toDay(parseValue(field, day)), nth: Number(nth) };
}
