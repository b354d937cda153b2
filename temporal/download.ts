import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Logger } from "pino";
import { readJson } from "../domain/foreign/json.ts";
import { LIMITS } from "../domain/foreign/limits.ts";
import { record } from "../domain/json.ts";
import { EnvHttpProxyAgent, fetch, type Dispatcher } from "undici";

/** The service from which Temporal's SDKs download the CLI: it returns the address of the archive for a platform. */
const SERVICE = "https://temporal.download/cli";
const ARCHITECTURES: Record<string, string> = { x64: "amd64", arm64: "arm64" };

export type Proxy = {
  httpProxy?: string | undefined;
  httpsProxy?: string | undefined;
  noProxy?: string | undefined;
};
type Options = {
  proxy: Proxy;
  log: Logger;
  signal?: AbortSignal | undefined;
  /** The sha256 that the archive must have, in lower-case hex. */
  sha256: string;
  service?: string;
};

/**
 * Downloads the CLI as `target`; the file appears whole and verified or not at all. Without a network it
 * fails within seconds.
 */
export async function downloadBinary(
  version: string,
  target: string,
  options: Options,
): Promise<void> {
  const arch = ARCHITECTURES[process.arch];
  if (!arch) throw new Error(`no CLI is offered for the architecture ${process.arch}`);
  const { log, signal, service = SERVICE, proxy } = options;
  log.info(
    `Downloading Temporal's CLI ${version} (about 60 MB; once, it is then kept as ${target})`,
  );
  const dispatcher = new EnvHttpProxyAgent({
    httpProxy: proxy.httpProxy ?? "",
    httpsProxy: proxy.httpsProxy ?? "",
    noProxy: proxy.noProxy ?? "",
    connect: { timeout: 5_000 },
    headersTimeout: 15_000,
    bodyTimeout: 30_000,
  });
  const partial = `${target}.${process.pid}.download`;
  try {
    const question = `${service}/v${version}?arch=${arch}&platform=${process.platform}&format=tar.gz`;
    const answer = await get(question, dispatcher, signal);
    const { archiveUrl, fileToExtract } = record(
      await readJson(answer.body ?? Readable.from([]), LIMITS.facts),
    );
    if (typeof archiveUrl !== "string" || typeof fileToExtract !== "string")
      throw new Error(`${question} was answered without an archive`);
    const archive = await get(archiveUrl, dispatcher, signal);
    if (!archive.body) throw new Error(`${archiveUrl} is empty`);
    const hash = createHash("sha256");
    const hashed = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    const source = Readable.fromWeb(archive.body);
    await extract([source, hashed], fileToExtract, partial);
    const found = hash.digest("hex");
    if (found !== options.sha256)
      throw new Error(
        `${archiveUrl} has the sha256 ${found}, not the ${options.sha256} of the release`,
      );
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
    await dispatcher.destroy();
  }
}

async function get(url: string, dispatcher: Dispatcher, signal: AbortSignal | undefined) {
  const answer = await fetch(url, { dispatcher, ...(signal && { signal }) }).catch(
    (error: Error) => {
      const cause = error.cause instanceof Error ? error.cause.message : error.message;
      throw new Error(`${new URL(url).host} cannot be reached: ${cause}`, {
        cause: error,
      });
    },
  );
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer;
}

/**
 * Extracts one file of a .tar.gz. tar writes the file to standard output, so that paths in the archive
 * cannot name files of ours.
 */
async function extract(
  [source, hashed]: [Readable, Transform],
  file: string,
  target: string,
): Promise<void> {
  const tar = spawn("tar", ["-xzOf", "-", "--", file], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve, reject) => {
    tar.once("error", reject);
    tar.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`tar ended with ${code}`)),
    );
  });
  await Promise.all([
    pipeline(source, hashed, tar.stdin),
    pipeline(tar.stdout, createWriteStream(target, { mode: 0o755 })),
    ended,
  ]);
}
