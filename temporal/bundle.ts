import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rename } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Logger } from "pino";
import { elapsed } from "../domain/elapsed.ts";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const EXTENSION = extname(import.meta.url);
const MAKE = fileURLToPath(new URL(`./make-bundle${EXTENSION}`, import.meta.url));

/** The folders whose code is in the bundle of the product's workflows. */
export const WORKFLOW_SOURCES = ["../workflows", "../domain"].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);

type BundleOptions = {
  /** The file that exports the workflows. */
  entry: string;
  /** Folders that contain the code of the bundle; a change in them makes a new bundle. */
  sources: readonly string[];
  /** A module of interceptors to include. */
  interceptors?: string;
  cacheDir: string;
  log: Logger;
};

/**
 * Returns the path of a bundle of the workflows; builds it unless the cache has one of the same sources and
 * the same SDK.
 */
export async function bundleWorkflows({
  entry,
  sources,
  interceptors,
  cacheDir,
  log,
}: BundleOptions): Promise<string> {
  const file = await fileOf(cacheDir, sources, interceptors !== undefined);
  if (await exists(file)) return file;
  const begun = elapsed();
  await mkdir(cacheDir, { recursive: true });
  const partial = `${file}.${process.pid}`;
  await run(process.execPath, [
    ...(EXTENSION === ".ts" ? ["--import", require.resolve("tsx")] : []),
    MAKE,
    entry,
    partial,
    ...(interceptors === undefined ? [] : [interceptors]),
  ]);
  await rename(partial, file);
  log.info(
    { file, ms: elapsed() - begun },
    "Workflows bundled; kept until their source changes",
  );
  return file;
}

/** Whether the cache has the bundle of the product's workflows, so that nothing must be written there for it. */
export const isBundled = async (cacheDir: string, traced: boolean): Promise<boolean> =>
  exists(await fileOf(cacheDir, WORKFLOW_SOURCES, traced));

const fileOf = async (cacheDir: string, sources: readonly string[], traced: boolean) =>
  join(cacheDir, `workflows-${await keyOf(sources)}${traced ? "-traced" : ""}.js`);

async function keyOf(sources: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  hash.update(await readFile(require.resolve("@temporalio/worker/package.json")));
  for (const folder of sources) {
    const files = (await readdir(folder, { recursive: true }))
      .filter((name) => /\.[jt]s$/.test(name))
      .sort();
    for (const name of files)
      hash.update(`\0${name}\0`).update(await readFile(join(folder, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );
