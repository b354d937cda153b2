import { execFileSync } from "node:child_process";

/**
 * `node .ci/audit.js` asks the registry for advisories about the locked packages that the program runs with, and ends
 * with 1 if any is high or critical. A registry that does not answer fails nothing, but it is said.
 */

/** @returns {string} */
function ask() {
  const args = [
    "audit",
    "--json",
    "--omit=dev",
    "--fetch-timeout=20000",
    "--fetch-retries=1",
  ];
  try {
    return execFileSync("npm", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (error) {
    // npm ends with 1 both for advisories and for a registry that does not answer.
    return error instanceof Error && "stdout" in error ? String(error.stdout) : "";
  }
}

/** @param {string} text */
function countsIn(text) {
  try {
    return JSON.parse(text).metadata?.vulnerabilities;
  } catch {
    return undefined;
  }
}

const counts = countsIn(ask());
if (counts === undefined) {
  process.stderr.write(
    "npm audit: the registry does not answer, so NOTHING WAS CHECKED\n",
  );
} else {
  process.stdout.write(`npm audit: ${JSON.stringify(counts)}\n`);
  process.exitCode = counts.high + counts.critical > 0 ? 1 : 0;
}
