import { parseSync } from "oxc-parser";
import type { Source } from "./sources.ts";

/** A comment, with its file, its first line, and the line of code below it. */
type Comment = { path: string; line: number; text: string; below: string };

/** Returns every comment of a file; lines of `//` that follow each other are one comment. */
function commentsOf({ path, text }: Source): Comment[] {
  const found: (Comment & { end: number; block: boolean })[] = [];
  for (const { type, value, start, end } of parseSync(path, text).comments) {
    const last = found.at(-1);
    const block = type === "Block";
    if (last && !block && !last.block && /^\s*$/.test(text.slice(last.end, start))) {
      last.text += ` ${value.trim()}`;
      last.end = end;
      last.below = nextLine(text, end);
      continue;
    }
    const line = text.slice(0, start).split("\n").length;
    found.push({
      path,
      line,
      text: plain(value),
      below: nextLine(text, end),
      end,
      block,
    });
  }
  return found.map(({ end: _end, block: _block, ...comment }) => comment);
}

/** Draws `count` of the comments of the files, in their order; the same seed draws the same comments. */
export function drawComments(
  sources: readonly Source[],
  count: number,
  seed: number,
): Comment[] {
  const all = sources.flatMap(commentsOf);
  const drawn = new Set<number>();
  let state = seed;
  while (drawn.size < Math.min(count, all.length)) {
    // A linear congruential generator (Numerical Recipes): repeatable, and good enough for a sample.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    drawn.add(state % all.length);
  }
  return all.filter((_, index) => drawn.has(index));
}

const plain = (text: string): string =>
  text
    .replaceAll(/^\s*\*+ ?/gm, " ")
    .replaceAll(/\s+/g, " ")
    .trim();

function nextLine(text: string, from: number): string {
  return (
    text
      .slice(text.indexOf("\n", from) + 1)
      .split("\n")
      .find((line) => line.trim() !== "")
      ?.trim() ?? ""
  );
}
