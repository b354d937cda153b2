import type { z } from "@hono/zod-openapi";
import { nearest } from "../../domain/nearest.ts";
import { anyOf, text, type Text } from "../../domain/text.ts";

type Issue = z.core.$ZodIssue;

const NAMES: Readonly<Record<string, string>> = {
  string: "字符串",
  number: "数字",
  int: "整数",
  boolean: "布尔值（true 或 false）",
  array: "列表",
  object: "对象",
  null: "空值",
  undefined: "空值",
};
const nameOf = (type: string): string => NAMES[type] ?? type;

/**
 * Returns the reason of an issue of zod in English and Chinese, with more words than zod has. `input`: the value at the
 * path of the issue.
 */
export function shapeReason(issue: Issue, input: unknown): Text {
  switch (issue.code) {
    case "invalid_type":
      return mustBe([issue.expected], input);
    case "invalid_union": {
      const expected = issue.errors
        .flat()
        .flatMap((each) => (each.code === "invalid_type" ? [each.expected] : []));
      return mustBe(expected, input);
    }
    case "invalid_value":
      return oneOf(issue.values.map(String), input);
    case "too_big":
      return limit(issue, `最多 ${issue.maximum}`, `不能大于 ${issue.maximum}`);
    case "too_small":
      return limit(issue, `至少 ${issue.minimum}`, `不能小于 ${issue.minimum}`);
    default:
      return text(issue.message, "无效的值");
  }
}

function mustBe(expected: readonly string[], input: unknown): Text {
  const types = [...new Set(expected)];
  if (types.length === 0) return text("Invalid input", "无效的值");
  const given = typeOf(input);
  const en = anyOf(types).en;
  const zh = types.map(nameOf).join("或");
  return text(
    `Invalid input: expected ${en}, received ${given}`,
    `应为${zh}，实际为${nameOf(given)}`,
  );
}

function typeOf(input: unknown): string {
  if (Array.isArray(input)) return "array";
  return input === null ? "null" : typeof input;
}

/** Names the words that a field may have, and the one that a misspelt word most likely means. */
function oneOf(words: readonly string[], input: unknown): Text {
  const shown = words.map((word) => JSON.stringify(word)).join("|");
  const near = typeof input === "string" ? nearest(input, words) : null;
  return text(
    `Invalid option: expected one of ${shown}${near === null ? "" : `; did you mean "${near}"?`}`,
    `应为以下之一：${shown}${near === null ? "" : `；是否应为 "${near}"？`}`,
  );
}

function limit(
  { origin, message }: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall,
  counted: string,
  compared: string,
): Text {
  if (origin === "string") return text(message, `${counted} 个字符`);
  return text(message, origin === "array" ? `${counted} 项` : compared);
}
