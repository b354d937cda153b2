import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";

/** `node .ci/sbom.js` writes build/sbom.json: the locked packages with which the program runs, as CycloneDX. */

const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only", "--omit=dev"];
const text = execFileSync("npm", args, { encoding: "utf8", maxBuffer: 64 * 1024 ** 2 });
/** @type {{ components: { name: string }[] }} */
const { components } = JSON.parse(text);
const lacking = ["better-sqlite3", "hono"].filter(
  (name) => !components.some((component) => component.name === name),
);
if (lacking.length > 0) throw new Error(`the SBOM lacks ${lacking.join(", ")}`);
mkdirSync("build", { recursive: true });
writeFileSync("build/sbom.json", text);
process.stdout.write(`build/sbom.json: ${components.length} packages\n`);
