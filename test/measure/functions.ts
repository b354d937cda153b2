import { parseSync, Visitor } from "oxc-parser";
import type { Source } from "./sources.ts";

/**
 * `lines`: number of lines from the function's first to its last one, comments and blank lines included.
 */
export type FunctionSize = { path: string; name: string; lines: number; text: string };

type Span = { start: number; end: number };

/**
 * Returns every function of a file, inner and arrow functions included; a function without a name is named
 * after its line.
 */
export function functionsOf({ path, text }: Source): FunctionSize[] {
  const found: FunctionSize[] = [];
  const names = new Map<number, string>();
  const add = ({ start, end }: Span, id: { name: string } | null) => {
    const own = text.slice(start, end);
    const line = text.slice(0, start).split("\n").length;
    const name = id?.name ?? names.get(start) ?? `line ${line}`;
    found.push({ path, name, lines: own.split("\n").length, text: own });
  };
  const visitor = new Visitor({
    VariableDeclarator({ id, init }) {
      if (init && id.type === "Identifier") names.set(init.start, id.name);
    },
    FunctionDeclaration: (node) => add(node, node.id),
    FunctionExpression: (node) => add(node, node.id),
    ArrowFunctionExpression: (node) => add(node, null),
  });
  visitor.visit(parseSync(path, text).program);
  return found;
}
