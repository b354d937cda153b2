import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pino } from "pino";
import { loadConfig } from "../../../config.ts";
import { bundleWorkflows } from "../../../temporal/bundle.ts";
import { ROOT } from "./program.ts";

const SOURCES = ["workflows", "domain"];
const log = pino({ level: "silent" });

/** A change in the text of one workflow file, which must contain `from`. */
export type Change = { file: string; from: string; to: string };

/**
 * Creates a CACHE_DIR for one test. The workflow bundle in it can differ from the sources, as after a
 * good or bad deploy.
 */
export async function createDeploys() {
  const folder = mkdtempSync(join(tmpdir(), "deploys-"));
  const cacheDir = join(folder, "cache");
  mkdirSync(cacheDir);
  const bundleOf = (root: string, index: string, into: string) =>
    bundleWorkflows({
      entry: join(root, "workflows", index),
      sources: SOURCES.map((name) => join(root, name)),
      cacheDir: into,
      log,
    });
  const original = await bundleOf(
    join(ROOT, "dist"),
    "index.js",
    loadConfig(process.env).cacheDir,
  );
  const placed = join(cacheDir, basename(original));
  copyFileSync(original, placed);

  return {
    cacheDir,
    /** Applies the changes from the orchestrator's next start; without changes, restores the sources' own bundle. */
    async deploy(...changes: Change[]): Promise<void> {
      if (changes.length === 0) return copyFileSync(original, placed);
      const root = mkdtempSync(join(folder, "tree-"));
      for (const name of SOURCES)
        cpSync(join(ROOT, name), join(root, name), { recursive: true });
      // The bundler ignores imports of types, but resolves all others, so the changed sources need
      // node_modules.
      symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
      for (const { file, from, to } of changes) {
        const text = readFileSync(join(root, file), "utf8");
        if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
        writeFileSync(join(root, file), text.replace(from, to));
      }
      copyFileSync(await bundleOf(root, "index.ts", folder), placed);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
