import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { parseSync } from "oxc-parser";

/** A TypeScript file of the repository, with its path from the root. */
export type Source = { path: string; text: string };

/**
 * An import of another file, or of a package; `target`: the path of the file, or the name of the package.
 */
export type Import = { file: string; target: string; typeOnly: boolean };

/** Reads all TypeScript files below a folder, including uncommitted ones. */
export function readSources(root: string): Source[] {
  const args = [
    "ls-files",
    "--cached",
    "--others",
    "--exclude-standard",
    "--deduplicate",
    "*.ts",
  ];
  const listed = execFileSync("git", args, { cwd: root, encoding: "utf8" })
    .trim()
    .split("\n");
  return listed.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

export const isTest = ({ path }: Source): boolean => path.startsWith("test/");

/**
 * Returns every import and re-export of a file, including `import()` with a literal text and
 * `import type`.
 */
export function importsOf({ path, text }: Source): Import[] {
  const { staticImports, staticExports, dynamicImports } = parseSync(path, text).module;
  const found = [
    ...staticImports.map(({ moduleRequest, entries }) => ({
      name: moduleRequest.value,
      typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    })),
    ...staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) =>
        moduleRequest ? [{ name: moduleRequest.value, typeOnly: isType }] : [],
      ),
    ),
    ...dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
      const fixed = /^"([^"]+)"$/.exec(text.slice(start, end))?.[1];
      return fixed === undefined ? [] : [{ name: fixed, typeOnly: false }];
    }),
  ];
  return found.map(({ name, typeOnly }) => {
    const target = name.startsWith(".") ? normalize(join(dirname(path), name)) : name;
    return { file: path, target, typeOnly };
  });
}
