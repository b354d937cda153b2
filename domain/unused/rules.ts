import { text, type Text } from "../text.ts";

/** A field that has no effect when `isUnused`; `why` says what decides instead, or what to do. */
export type Rule<Given> = {
  field: string;
  isUnused: (given: Given) => boolean;
  why: Text;
};

/** Says which of the given settings will not be used. `at`: the place of the body's fields, such as `configs[0].`. */
export function unused<Given>(
  rules: readonly Rule<Given>[],
  given: Given,
  at = "",
): Text[] {
  return rules
    .filter(({ isUnused }) => isUnused(given))
    .map(({ field, why }) =>
      text(
        `the setting "${at}${field}" will not be used: ${why.en}`,
        `设置 "${at}${field}" 不会被使用：${why.zh}`,
      ),
    );
}

export const isGiven = (value: unknown): boolean =>
  value !== null && value !== undefined && value !== "";

export const STORED = text("it is stored and has no effect", "它只被存储，不起作用");
