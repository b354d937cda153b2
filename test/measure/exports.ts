import { dirname, join, normalize } from "node:path";
import { parseSync } from "oxc-parser";
import type { Source } from "./sources.ts";

/** Returns the exports that no other file imports, as "path name". `import *` uses every export of its target. */
export function findUnusedExports(sources: readonly Source[]): string[] {
  const modules = sources.map(({ path, text }) => ({
    path,
    ...parseSync(path, text).module,
  }));
  const used = new Set(
    modules.flatMap(({ path, staticImports, staticExports }) => [
      ...staticImports.flatMap(({ moduleRequest, entries }) =>
        entries.map(({ importName }) =>
          nameOf(path, moduleRequest.value, importName.name),
        ),
      ),
      ...staticExports.flatMap(({ entries }) =>
        entries.flatMap(({ moduleRequest, importName }) =>
          moduleRequest ? [nameOf(path, moduleRequest.value, importName.name)] : [],
        ),
      ),
    ]),
  );
  return modules.flatMap(({ path, staticExports }) =>
    staticExports
      .flatMap(({ entries }) =>
        entries.map(({ exportName }) => exportName.name ?? "default"),
      )
      .filter((name) => !used.has(`${path} ${name}`) && !used.has(`${path} *`))
      .map((name) => `${path} ${name}`),
  );
}

function nameOf(from: string, target: string, name: string | null): string {
  return `${normalize(join(dirname(from), target))} ${name ?? "*"}`;
}
