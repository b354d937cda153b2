import jsTokens from "js-tokens";

/**
 * `codeLines`: lines with at least one token that is neither blank nor a comment; `long`: lines of
 * more than 120 characters.
 */
type LineCounts = { lines: number; codeLines: number; tokens: number; long: number };

const WIDEST = 120;
const NO_CODE = new Set([
  "WhiteSpace",
  "LineTerminatorSequence",
  "SingleLineComment",
  "MultiLineComment",
]);

/** Counts lines and tokens of a text. A token counts in the line in which it begins. */
export function countLines(text: string): LineCounts {
  const all = text.split("\n");
  const withCode = new Set<number>();
  let line = 0;
  let tokens = 0;
  for (const { type, value } of jsTokens(text)) {
    if (!NO_CODE.has(type)) {
      tokens += 1;
      withCode.add(line);
    }
    line += value.split("\n").length - 1;
  }
  const long = findLongLines(text).length;
  return { lines: all.length, codeLines: withCode.size, tokens, long };
}

/** Returns the numbers, from 1, of the lines that have more than 120 characters. */
export function findLongLines(text: string): number[] {
  return text
    .split("\n")
    .flatMap((line, index) => (line.length > WIDEST ? [index + 1] : []));
}
