/** A calendar day; `length`: the number of days of its month. */
export type Day = {
  day: number;
  length: number;
  weekday: number;
  month: number;
  year: number;
};
/** A random cron expression, and predicates that say when it fires, independent of the product's parser. */
export type Sample = {
  expression: string;
  matchesDay: (day: Day) => boolean;
  matchesTime: (hour: number, minute: number, second: number) => boolean;
};
type Random = (below: number) => number;

type Term = { text: string; has: (value: number, day: Day) => boolean };
type Numbers = { min: number; max: number; top: number; names: string[] };
/**
 * Which syntax the implementation under comparison supports: `wraps` = 22-2, SAT-SUN and Unix' 7 with a
 * step for Sunday; `lastOffsets` = L-3.
 */
type Abilities = { wraps: boolean; lastOffsets: boolean };

const MONTHS = [
  "jan",
  "FEB",
  "Mar",
  "apr",
  "MAY",
  "Jun",
  "jul",
  "AUG",
  "Sep",
  "oct",
  "NOV",
  "Dec",
];
const DAYS = ["sun", "MON", "Tue", "wed", "THU", "Fri", "sat"];

/** mulberry32: the same seed gives the same samples on every machine. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const pick = <T>(random: Random, items: readonly [T, ...T[]]): T =>
  items[random(items.length)] ?? items[0];
const modulo = (value: number, span: number): number => ((value % span) + span) % span;

function simpleTerm(random: Random, numbers: Numbers, wraps: boolean): Term {
  const { min, max, top, names } = numbers;
  const span = max - min + 1;
  const write = (value: number): string =>
    (random(2) === 0 && names[value - min]) || String(value);
  let first = min + random(top - min + 1);
  let last = min + random(top - min + 1);
  if (!wraps && last < first) [first, last] = [last, first];
  const step = 1 + random(Math.min(12, top));
  const length = last < first ? last + span - first : last - first;
  const end = wraps ? write(last) : String(last);
  const within = (value: number, limit: number, by: number): boolean => {
    const distance = modulo(value - first, span);
    return [distance, distance + span].some((d) => d <= limit && d % by === 0);
  };
  switch (random(5)) {
    case 0:
      return { text: `${write(first)}-${end}`, has: (value) => within(value, length, 1) };
    case 1:
      return {
        text: `${write(first)}-${end}/${step}`,
        has: (value) => within(value, length, step),
      };
    case 2:
      return {
        text: `${write(first)}/${step}`,
        has: (value) => within(value, Math.max(max - first, 0), step),
      };
    case 3:
      return { text: `*/${step}`, has: (value) => (value - min) % step === 0 };
    default:
      return { text: write(first), has: (value) => within(value, 0, 1) };
  }
}

/** Whether a day is the workday nearest to `target` in its month. */
function isNearestWorkday({ day, length, weekday }: Day, target: number): boolean {
  const workdays = Array.from({ length }, (_, index) => index + 1).filter(
    (candidate) => ![0, 6].includes(modulo(weekday + candidate - day, 7)),
  );
  const nearest = workdays.sort((a, b) => Math.abs(a - target) - Math.abs(b - target))[0];
  return target >= 1 && target <= length && day === nearest;
}

function monthDayTerm(random: Random, { wraps, lastOffsets }: Abilities): Term {
  const target = 1 + random(31);
  const offset = random(31);
  switch (random(lastOffsets ? 7 : 5)) {
    case 0:
      return { text: "L", has: (_, { day, length }) => day === length };
    case 1:
    case 2:
      return { text: `${target}W`, has: (_, day) => isNearestWorkday(day, target) };
    case 5:
      return {
        text: `l-${offset}`,
        has: (_, { day, length }) => day === length - offset,
      };
    case 6:
      return {
        text: `L-${offset}w`,
        has: (_, day) => isNearestWorkday(day, day.length - offset),
      };
    default:
      return simpleTerm(random, { min: 1, max: 31, top: 31, names: [] }, wraps);
  }
}

function weekDayTerm(random: Random, numbers: Numbers, { wraps }: Abilities): Term {
  const value = numbers.min + random(7);
  const isDay = ({ weekday }: Day): boolean => weekday === value - numbers.min;
  const nth = 1 + random(5);
  const text = (random(2) === 0 && numbers.names[value - numbers.min]) || String(value);
  switch (random(5)) {
    case 0:
      return {
        text: `${text}L`,
        has: (_, day) => isDay(day) && day.day + 7 > day.length,
      };
    case 1:
      return {
        text: `${text}#${nth}`,
        has: (_, day) => isDay(day) && Math.ceil(day.day / 7) === nth,
      };
    default:
      return simpleTerm(random, numbers, wraps);
  }
}

function list(random: Random, make: () => Term): Term {
  const terms = Array.from({ length: random(3) === 0 ? 1 + random(3) : 1 }, make);
  return {
    text: terms.map(({ text }) => text).join(","),
    has: (value, day) => terms.some((term) => term.has(value, day)),
  };
}

const EVERY: Term = { text: "*", has: () => true };

export function sample(
  random: Random,
  dialect: "unix" | "quartz",
  abilities: Abilities,
): Sample {
  const field = (min: number, max: number, names: string[] = []): Term =>
    random(4) === 0
      ? EVERY
      : list(random, () =>
          simpleTerm(random, { min, max, top: max, names }, abilities.wraps),
        );
  const [second, minute, hour, month] = [
    field(0, 59),
    field(0, 59),
    field(0, 23),
    field(1, 12, MONTHS),
  ];
  const firstDay = dialect === "unix" ? 0 : 1;
  const weekNumbers = {
    min: firstDay,
    max: firstDay + 6,
    top: abilities.wraps ? 7 : firstDay + 6,
    names: DAYS,
  };
  const given = pick(random, [
    "month",
    "month",
    "week",
    "week",
    "none",
    dialect === "unix" ? "both" : "month",
  ]);
  const monthDay = list(random, () => monthDayTerm(random, abilities));
  const weekDay = list(random, () => weekDayTerm(random, weekNumbers, abilities));
  const byMonth = given === "month" || given === "both";
  const byWeek = given === "week" || given === "both";
  const year = 2024 + random(6);
  const years = dialect === "quartz" && random(4) === 0;
  const open = dialect === "unix" ? "*" : "?";
  const days = [
    byMonth ? monthDay.text : given === "none" ? "*" : open,
    month.text,
    byWeek ? weekDay.text : open,
  ];
  const fields = [
    ...(dialect === "unix" ? [] : [second.text]),
    minute.text,
    hour.text,
    ...days,
  ];
  const anyDay: Day = { day: 1, length: 31, weekday: 0, month: 1, year };
  return {
    expression: [...fields, ...(years ? [`${year}/2`] : [])].join(" "),
    matchesDay: (day) =>
      month.has(day.month, day) &&
      (!years || (day.year >= year && day.year <= 2099 && (day.year - year) % 2 === 0)) &&
      (given === "none" ||
        (byMonth && monthDay.has(day.day, day)) ||
        (byWeek && weekDay.has(day.weekday + firstDay, day))),
    matchesTime: (h, m, s) =>
      hour.has(h, anyDay) &&
      minute.has(m, anyDay) &&
      (dialect === "unix" ? s === 0 : second.has(s, anyDay)),
  };
}
