const KIB = 1024;
const MIB = 1024 ** 2;

/** Maximum bytes of a body whose route the table does not name. */
const LONGEST = 64 * KIB;

/**
 * Maximum bytes of a body, by path. The reports of a whole batch take about 2 MiB, a page of a listing or
 * the metrics of a worker less.
 */
const ROUTES: readonly [RegExp, number][] = [
  [/\/reports$/, 16 * MIB],
  [/\/listings\/[^/]+\/[^/]+\/pages\/[^/]+$/, 16 * MIB],
  [/\/metrics$/, 4 * MIB],
  [/\/versions\/[^/]+$/, 4 * MIB],
];

/** Returns how many bytes the body of an internal request to this path may have. */
export const longestBody = (path: string): number =>
  ROUTES.find(([route]) => route.test(path))?.[1] ?? LONGEST;
