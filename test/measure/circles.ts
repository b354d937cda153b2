import { dirname } from "node:path";
import type { Import } from "./sources.ts";

/**
 * Returns groups of files that import each other, directly or through others; each group is sorted.
 */
export function findCircles(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { file, target } of imports)
    targets.set(file, [...(targets.get(file) ?? []), target]);
  const reached = new Map(
    [...targets.keys()].map((file) => [file, reachedFrom(file, targets)]),
  );
  const circles = [...reached].flatMap(([file, others]) => {
    const circle = [...others].filter((other) => reached.get(other)?.has(file));
    return circle.length === 0 ? [] : [circle.toSorted()];
  });
  return [...new Map(circles.map((circle) => [circle.join(), circle])).values()];
}

function reachedFrom(start: string, targets: ReadonlyMap<string, string[]>): Set<string> {
  const reached = new Set<string>();
  const open = [start];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const target of targets.get(file) ?? []) {
      if (reached.has(target)) continue;
      reached.add(target);
      open.push(target);
    }
  }
  return reached;
}

/**
 * Returns pairs of folders that are side by side below one top-level folder and import each other, as "a
 * <-> b". A folder and one inside it do not count: the outer one may hold the table of the inner ones.
 */
export function findMutualFolders(imports: readonly Import[]): string[] {
  const pairs = imports.flatMap(({ file, target }) => {
    const [from, to] = [dirname(file).split("/"), dirname(target).split("/")];
    const at = from.findIndex((part, i) => part !== to[i]);
    if (at < 1 || to[at] === undefined) return [];
    return [{ from: from.slice(0, at + 1).join("/"), to: to.slice(0, at + 1).join("/") }];
  });
  const known = new Set(pairs.map(({ from, to }) => `${from} ${to}`));
  const mutual = pairs.filter(({ from, to }) => from < to && known.has(`${to} ${from}`));
  return [...new Set(mutual.map(({ from, to }) => `${from} <-> ${to}`))].toSorted();
}
