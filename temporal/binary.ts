import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Logger } from "pino";
import { StartError } from "../domain/start-error.ts";
import { DIGESTS, DIGESTS_OF } from "./digests.ts";
import { buildBinary } from "./build.ts";
import { checkDigest, rememberDigest } from "./cached.ts";
import { downloadBinary, type Proxy } from "./download.ts";

const run = promisify(execFile);
const PLATFORM = `${process.platform} ${process.arch}`;
const OLDEST = { major: 1, minor: 8 };

export type Binary = { path: string; version: string };
type BinaryOptions = {
  /** The setting TEMPORAL_CLI_PATH; when it is set, nothing else is tried. */
  cliPath?: string | undefined;
  cacheDir: string;
  /** Why nothing can be kept in `cacheDir`; null or absent: it can be written. */
  cacheProblem?: StartError | null;
  proxy: Proxy;
  log: Logger;
  signal?: AbortSignal | undefined;
};

/** Returns the version that is downloaded or built: the one in temporal/go.mod. */
function pinnedVersion(): string {
  const module = readFileSync(new URL("./go.mod", import.meta.url), "utf8");
  const version =
    /^\s*(?:require )?github\.com\/temporalio\/cli v(\d+\.\d+\.\d+)\b/m.exec(module)?.[1];
  if (!version)
    throw new Error("temporal/go.mod does not require github.com/temporalio/cli");
  return version;
}

/**
 * Returns the executable at `path` (or of that name on PATH) with its version; rejects with a reason when it is missing
 * or too old.
 */
async function usable(path: string): Promise<Binary> {
  const { stdout } = await run(path, ["--version"], { timeout: 30_000 }).catch(
    (error: NodeJS.ErrnoException) => {
      throw new Error(
        error.code === "ENOENT"
          ? "not found"
          : `cannot be run: ${error.message.split("\n")[0]}`,
      );
    },
  );
  const [, major, minor, patch] =
    /^temporal version (\d+)\.(\d+)\.(\d+)/.exec(stdout) ?? [];
  if (Number(major) !== OLDEST.major || Number(minor) < OLDEST.minor) {
    throw new Error(
      `is ${stdout.split("\n")[0] || "not a Temporal CLI"}; version ${OLDEST.major}.${OLDEST.minor} or newer is needed`,
    );
  }
  return { path, version: `${major}.${minor}.${patch}` };
}

async function given(path: string): Promise<Binary> {
  return usable(path).catch((error: Error) => {
    throw new StartError(
      `TEMPORAL_CLI_PATH ${path}: ${error.message}; set it to Temporal's CLI 1.8 or newer, or unset it`,
    );
  });
}

/**
 * Finds Temporal's CLI: at `cliPath` if that is set, else on PATH, in the cache, by a download or by a
 * build, in this order. A download or build is kept in the cache with its digest, which is checked at
 * each start. Throws when no way gives a usable CLI.
 */
export async function findBinary({
  cliPath,
  cacheDir,
  cacheProblem = null,
  proxy,
  log,
  signal,
}: BinaryOptions): Promise<Binary> {
  if (cliPath !== undefined) return given(cliPath);
  const version = pinnedVersion();
  const cached = join(cacheDir, `temporal-${version}`);
  const make = async (produce: () => Promise<void>) => {
    if (cacheProblem !== null) throw cacheProblem;
    await mkdir(cacheDir, { recursive: true });
    await produce().catch((error: Error) => {
      log.info(`That failed: ${error.message}`);
      throw error;
    });
    await rememberDigest(cached);
    return usable(cached);
  };
  const kept = async () => {
    if (!existsSync(cached)) throw new Error("not found");
    await checkDigest(cached);
    return usable(cached);
  };
  const ways = [
    { name: "`temporal` on PATH", find: () => usable("temporal") },
    { name: `the cached ${cached}`, find: kept },
    {
      name: "a download",
      find: () => {
        const sha256 = version === DIGESTS_OF ? DIGESTS[PLATFORM] : undefined;
        if (sha256 === undefined)
          throw new Error(`no digest of version ${version} for ${PLATFORM} is known`);
        const options = { proxy, log, signal, sha256 };
        return make(() => downloadBinary(version, cached, options));
      },
    },
    {
      name: "a build with Go",
      find: () => make(() => buildBinary(version, cached, { log, signal })),
    },
  ];
  const failures: string[] = [];
  for (const { name, find } of ways) {
    try {
      const binary = await find();
      log.info({ path: binary.path, version: binary.version }, `Temporal's CLI: ${name}`);
      return binary;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof StartError) throw error;
      const failure = `${name}: ${error instanceof Error ? error.message : String(error)}`;
      log.debug(`Temporal's CLI, ${failure}`);
      failures.push(failure);
    }
  }
  throw new Error(
    [
      "The Temporal server's program was not found and could not be downloaded or built:",
      ...failures.map((failure) => `  - ${failure}`),
      "Do one of these: install Temporal's CLI 1.8 or newer on PATH; set TEMPORAL_CLI_PATH to it; allow https to",
      "temporal.download (HTTPS_PROXY is honoured); install Go 1.21 or newer; or set TEMPORAL_ADDRESS to a server",
      "that runs.",
    ].join("\n"),
  );
}
