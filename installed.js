import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * `node installed.js` ends with a sentence when this Node is too old or packages are missing; with `--dev`, those that
 * only tests and tools need are looked for, too.
 */

const ROOT = dirname(fileURLToPath(import.meta.url));
/** @type {{ engines: { node: string }, dependencies: object, devDependencies: object }} */
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

const oldest = manifest.engines.node.replace(">=", "");
const [major = 0, minor = 0] = oldest.split(".").map(Number);
const [ownMajor = 0, ownMinor = 0] = process.versions.node.split(".").map(Number);
if (ownMajor < major || (ownMajor === major && ownMinor < minor))
  end(`Node ${process.versions.node} is too old: install Node ${oldest} or newer`);

const needed = Object.keys({
  ...manifest.dependencies,
  ...(process.argv.includes("--dev") && manifest.devDependencies),
});
const missing = needed.filter(
  (name) => !existsSync(join(ROOT, "node_modules", name, "package.json")),
);
if (missing.length > 0)
  end(
    missing.length === needed.length
      ? `The packages are not installed: run npm ci in ${ROOT} first`
      : `Packages are missing (${missing.join(", ")}): run npm ci in ${ROOT} again`,
  );

/** @param {string} sentence */
function end(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}
