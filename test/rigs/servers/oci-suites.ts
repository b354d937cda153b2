import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { XMLParser } from "fast-xml-parser";
import { isRecord } from "../../../domain/json.ts";
import type { Tool } from "./tools.ts";

const run = promisify(execFile);
const MODULE = "github.com/opencontainers/distribution-spec/conformance";

/** The suite as it was released with distribution-spec 1.1.1: Go tests. */
export const RELEASED_SUITE: Tool = {
  name: "oci-conformance-released",
  version: "v1.1.1",
  go: { tests: `${MODULE}@v0.0.0-20250123160558-a139cc423184` },
  cost: "18 MB, up to a minute",
};

/** The suite that was written anew after that release: a program. */
export const LATER_SUITE: Tool = {
  name: "oci-conformance-later",
  version: "2026-08-31",
  go: { package: `${MODULE}@v0.0.0-20260831232431-97274622c111` },
  cost: "14 MB, some seconds",
};

/** One check of a suite; `why`: what the suite says about a check that did not pass. */
export type Check = {
  name: string;
  result: "passed" | "failed" | "skipped";
  why: string;
};

/** Runs a suite with these settings in a folder of its own and returns its checks, read from its JUnit report. */
export async function runSuite(
  command: string,
  settings: Record<string, string>,
): Promise<Check[]> {
  const folder = mkdtempSync(join(tmpdir(), "oci-conformance-"));
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    OCI_REPORT_DIR: folder,
    OCI_RESULTS_DIR: folder,
    ...settings,
  };
  try {
    // A suite also ends with an error when a check fails; its report then says which.
    const output = await run(command, [], {
      cwd: folder,
      env: environment,
      maxBuffer: 256 * 1024 * 1024,
    }).catch(String);
    const report = join(folder, "junit.xml");
    if (!existsSync(report))
      throw new Error(`${command} left no report: ${String(output)}`);
    return checksIn(readFileSync(report, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function checksIn(report: string): Check[] {
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: "",
    isArray: (name) => name === "testsuite" || name === "testcase",
  });
  const { testsuites } = parser.parse(report) as { testsuites: { testsuite: Suite[] } };
  return testsuites.testsuite
    .flatMap(({ testcase = [] }) => testcase)
    .filter(({ name }) => !name.endsWith("custom reporter"))
    .map(toCheck);
}

type Case = { name: string; status?: string; [verdict: string]: unknown };
type Suite = { testcase?: Case[] };

/** Reads a check: one suite tells its result by an element, the other by the attribute `status` alone. */
function toCheck({ name, status, failure, error, skipped }: Case): Check {
  const said = failure ?? error ?? skipped;
  const why = isRecord(said) ? String(said["message"] ?? said["#text"] ?? "") : "";
  if (failure !== undefined || error !== undefined)
    return { name, result: "failed", why };
  const isLeft = skipped !== undefined || ["skipped", "disabled"].includes(status ?? "");
  const result = isLeft ? "skipped" : status === "passed" ? "passed" : "failed";
  return { name, result, why };
}
