import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findCircles, findMutualFolders } from "./circles.ts";
import { drawComments } from "./comments.ts";
import { type FunctionSize, functionsOf } from "./functions.ts";
import { countLines } from "./lines.ts";
import { importsOf, isTest, readSources, type Source } from "./sources.ts";

/**
 * `npm run measure -- [folder]` prints figures about how readable a checkout is; default: this checkout.
 * With `--comments=200 --seed=1` it prints that many comments of the program, to be judged by a reader.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { comments: { type: "string" }, seed: { type: "string", default: "1" } },
});
const root = resolve(positionals[0] ?? ".");
/** A function of more lines than this should be split. */
const MOST_LINES = 70;

const sources = readSources(root);
const tests = sources.filter(isTest);
const program = sources.filter((source) => !tests.includes(source));
if (values.comments === undefined) {
  print("program", program);
  print("tests", tests);
} else {
  for (const { path, line, text, below } of drawComments(
    program,
    Number(values.comments),
    Number(values.seed),
  ))
    process.stdout.write(`${path}:${line}\n  ${text}\n    ${below}\n`);
}

function print(title: string, some: readonly Source[]): void {
  const lines = report(some).map(([name, value]) => `  ${name.padEnd(44)} ${value}\n`);
  process.stdout.write(`${title}\n${lines.join("")}`);
}

function report(some: readonly Source[]): [string, string][] {
  const counts = some.map(({ text }) => countLines(text));
  const total = (key: keyof (typeof counts)[number]) =>
    counts.reduce((sum, each) => sum + each[key], 0);
  const functions = some.flatMap(functionsOf).toSorted((a, b) => b.lines - a.lines);
  const [longest] = functions;
  const folders = filesPerFolder(some);
  const imports = some.flatMap(importsOf);
  return [
    ["files, lines", `${some.length}, ${total("lines")}`],
    ["lines of a file: median, longest", spread(counts.map(({ lines }) => lines))],
    ["files of a folder: median, most", spread(folders)],
    [
      "lines of a function: median, longest",
      `${spread(functions.map(({ lines }) => lines))} (${longest?.name})`,
    ],
    [
      `functions over ${MOST_LINES} lines`,
      `${functions.filter(({ lines }) => lines > MOST_LINES).length}`,
    ],
    ["tokens in a line of code, mean", (total("tokens") / total("codeLines")).toFixed(1)],
    [
      "tokens in a line of a function, median",
      median(functions.flatMap(density)).toFixed(1),
    ],
    [
      "lines over 120 columns",
      `${((100 * total("long")) / total("lines")).toFixed(1)} % (${total("long")})`,
    ],
    ["circles of files, types included", `${findCircles(imports).length}`],
    [
      "folders side by side that import each other",
      `${findMutualFolders(imports).length}`,
    ],
  ];
}

/**
 * Returns the tokens per line of a function, as a list; an empty list for a function of one or two lines,
 * which are no measure of how dense lines are.
 */
function density({ lines, text }: FunctionSize): number[] {
  const { tokens, codeLines } = countLines(text);
  return lines > 2 ? [tokens / codeLines] : [];
}

function filesPerFolder(some: readonly Source[]): number[] {
  const counts = new Map<string, number>();
  for (const { path } of some)
    counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  return [...counts.values()];
}

function spread(values: readonly number[]): string {
  return `${median(values)}, ${Math.max(...values)}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
