/** Maximum number of the left-out tags (`LeftOut`) that are listed by name. */
const MOST_NAMED = 10;
/** Maximum length of the `name:version` of a left-out tag; the rest is cut off. */
const MOST_NAME = 100;

/**
 * Tags that a plan of whole repositories and packages leaves out because they are sent with the image that they are
 * attached to: their number, and the first ones as `name:version`.
 */
export type LeftOut = { count: number; first: string[] };

export const NOTHING_LEFT_OUT: LeftOut = { count: 0, first: [] };

export function addLeftOut(
  { count, first }: LeftOut,
  more: readonly { name: string; version: string }[],
): LeftOut {
  const named = more
    .slice(0, MOST_NAMED - first.length)
    .map(({ name, version }) => `${name}:${version}`.slice(0, MOST_NAME));
  return { count: count + more.length, first: [...first, ...named] };
}

export const joinLeftOut = (all: readonly LeftOut[]): LeftOut => ({
  count: all.reduce((sum, { count }) => sum + count, 0),
  first: all.flatMap(({ first }) => first).slice(0, MOST_NAMED),
});
