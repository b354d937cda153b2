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

/** A change in the text of one workflow file: `from` must be in it. */
export type Change = { file: string; from: string; to: string };

/**
 * A CACHE_DIR of the test's own, in which the bundle of the workflows can be another than that of the sources: a
 * deploy, good or bad.
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
  const original = await bundleOf(join(ROOT, "dist"), "index.js", loadConfig(process.env).cacheDir);
  const placed = join(cacheDir, basename(original));
  copyFileSync(original, placed);

  return {
    cacheDir,
    /** From the next start of the orchestrator on, its code has these changes; without any it is the sources' own. */
    async deploy(...changes: Change[]): Promise<void> {
      if (changes.length === 0) return copyFileSync(original, placed);
      const root = mkdtempSync(join(folder, "tree-"));
      for (const name of SOURCES) cpSync(join(ROOT, name), join(root, name), { recursive: true });
      // The bundler leaves types aside, but looks for what is imported as a value only.
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
