import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import "./installed.js";

/**
 * `node build.js` makes dist/: the program as JavaScript, file by file, with the data files of its folders beside them,
 * so that no start compiles anything. Unchanged files are not written again: several builds may run at once, beside a
 * running service, and a complete dist/ may be read-only.
 */

// After the check that packages are installed: an import at the top would come before it.
const { build } = await import("esbuild");

const SOURCE = dirname(fileURLToPath(import.meta.url));
const DIST = join(SOURCE, "dist");
const ROOT_FILES = [
  "main.ts",
  "supervisor.ts",
  "children.ts",
  "config.ts",
  "lifecycle.ts",
  "logs.ts",
  "variables.ts",
];
const FOLDERS = ["activities", "api", "db", "domain", "temporal", "workflows"];

const files = (
  await Promise.all(FOLDERS.map((folder) => filesBelow(join(SOURCE, folder))))
).flat();
const copied = new Set(
  files.map((file) => extname(file)).filter((extension) => extension !== ".ts"),
);

/**
 * A plugin for esbuild: each file stays a file of its own and imports the others under their new names.
 * @type {import("esbuild").Plugin}
 */
const apart = {
  name: "apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\..*\.ts$/ }, ({ path, kind }) =>
      kind === "entry-point"
        ? undefined
        : { path: path.replace(/\.ts$/, ".js"), external: true },
    );
  },
};

const { outputFiles } = await build({
  absWorkingDir: SOURCE,
  entryPoints: [...ROOT_FILES, ...files],
  outbase: SOURCE,
  outdir: DIST,
  write: false,
  bundle: true,
  plugins: [apart],
  packages: "external",
  treeShaking: false,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
  sourcesContent: false,
  loader: Object.fromEntries([...copied].map((extension) => [extension, "copy"])),
  logLevel: "warning",
});

await Promise.all(outputFiles.map(place)).catch((/** @type {Error} */ { message }) => {
  process.stderr.write(
    `dist/ was not made from these sources and cannot be written (${message}); its owner has to run npm run build\n`,
  );
  process.exit(1);
});
const made = new Set(outputFiles.map(({ path }) => path));
const stale = (await filesBelow(DIST)).filter(
  (file) => !made.has(file) && !isPartial(file),
);
await Promise.all(stale.map((file) => rm(file, { force: true })));

/**
 * Writes a compiled file if it has changed; it appears whole or not at all.
 * @param {import("esbuild").OutputFile} file
 */
async function place({ path, contents }) {
  const present = await readFile(path).catch(() => null);
  if (present?.equals(contents)) return;
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.new`;
  await writeFile(partial, contents);
  await rename(partial, path);
}

/**
 * Whether a build is still writing the file, or ended before it was complete.
 * @param {string} file
 */
function isPartial(file) {
  return file.endsWith(".new");
}

/**
 * Returns the paths of all files below a folder.
 * @param {string} folder
 */
async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
