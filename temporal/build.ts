import { execFile } from "node:child_process";
import { rename, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Logger } from "pino";
import { elapsed } from "../domain/elapsed.ts";

const run = promisify(execFile);
const MODULE = fileURLToPath(new URL(".", import.meta.url));
const COMMAND = "github.com/temporalio/cli/cmd/temporal";
const VERSION_VARIABLE = "github.com/temporalio/cli/internal/temporalcli.Version";

/** Builds the CLI of temporal/go.mod as `target`; the file appears whole or not at all. */
export async function buildBinary(
  version: string,
  target: string,
  { log, signal }: { log: Logger; signal?: AbortSignal | undefined },
): Promise<void> {
  await run("go", ["version"]).catch(() => {
    throw new Error("Go is not installed");
  });
  const begun = elapsed();
  log.info(
    `Building Temporal's CLI ${version} with Go (3 to 10 minutes the first time; it is then kept as ${target})`,
  );
  const progress = setInterval(
    () =>
      log.info(
        `Still building Temporal's CLI (${Math.round((elapsed() - begun) / 1_000)} s)`,
      ),
    30_000,
  );
  const partial = `${target}.${process.pid}.build`;
  const go = ["CGO_ENABLED=0", "GOWORK=off", "go", "build"];
  const flags = [
    "-mod=readonly",
    "-trimpath",
    "-ldflags",
    `-s -w -X ${VERSION_VARIABLE}=${version}`,
  ];
  try {
    await run("env", [...go, ...flags, "-o", partial, COMMAND], {
      cwd: MODULE,
      maxBuffer: 64 * 2 ** 20,
      ...(signal && { signal }),
    }).catch((error: Error & { stderr?: string }) => {
      throw new Error(
        `go build failed: ${(error.stderr || error.message).trim().split("\n").slice(-5).join("; ")}`,
      );
    });
    await rename(partial, target);
  } finally {
    clearInterval(progress);
    await rm(partial, { force: true });
  }
}
