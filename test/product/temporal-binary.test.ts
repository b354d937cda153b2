import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkDigest, rememberDigest } from "../../temporal/cached.ts";
import { DIGESTS, DIGESTS_OF } from "../../temporal/digests.ts";
import { downloadBinary } from "../../temporal/download.ts";

const PROGRAM = "#!/bin/sh\necho temporal version 1.8.0\n";

let directory: string;
let archive: Buffer;
let server: Server;
let service: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "temporal-binary-"));
  mkdirSync(join(directory, "in"));
  writeFileSync(join(directory, "in", "temporal"), PROGRAM, { mode: 0o755 });
  archive = execFileSync("tar", ["-czf", "-", "-C", join(directory, "in"), "temporal"]);
  server = createServer((request, response) => {
    if (request.url === "/archive.tar.gz") return void response.end(archive);
    const answer = { archiveUrl: `${service}/archive.tar.gz`, fileToExtract: "temporal" };
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  service = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

const target = () => join(directory, "temporal-1.8.0");
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const download = (digest: string) =>
  downloadBinary("1.8.0", target(), {
    proxy: {},
    log: pino({ level: "silent" }),
    service,
    sha256: digest,
  });

test("Temporal's CLI is kept when its archive has the digest of the release", async () => {
  await download(sha256(archive));
  expect(readFileSync(target(), "utf8")).toBe(PROGRAM);
});

test("an archive of Temporal's CLI with another digest is refused, and nothing of it is left", async () => {
  await expect(download("0".repeat(64))).rejects.toThrow(
    new RegExp(`has the sha256 ${sha256(archive)}, not the 0{64} of the release`),
  );
  expect(readdirSync(directory)).toEqual(["in"]);
});

test("a download of Temporal's CLI that breaks off fails with a reason, and nothing of it is left", async () => {
  const whole = sha256(archive);
  server.removeAllListeners("request").on("request", (request, response) => {
    if (request.url !== "/archive.tar.gz")
      return void response.end(
        JSON.stringify({
          archiveUrl: `${service}/archive.tar.gz`,
          fileToExtract: "temporal",
        }),
      );
    response.writeHead(200, { "content-length": archive.length });
    response.write(archive.subarray(0, 20), () => response.destroy());
  });
  await expect(download(whole)).rejects.toThrow(/terminated|aborted|tar ended|closed/);
  expect(readdirSync(directory)).toEqual(["in"]);
});

test("the digests that are known are those of the version that is built otherwise", () => {
  const module = readFileSync("temporal/go.mod", "utf8");
  expect(module).toContain(`github.com/temporalio/cli v${DIGESTS_OF} `);
  expect(Object.values(DIGESTS)).toEqual(
    Array(4).fill(expect.stringMatching(/^[0-9a-f]{64}$/)),
  );
});

test("a kept program that has changed since is refused", async () => {
  writeFileSync(target(), PROGRAM);
  await rememberDigest(target());
  await checkDigest(target());
  appendFileSync(target(), "echo changed\n");
  await expect(checkDigest(target())).rejects.toThrow(
    /has the sha256 .* as when it was kept/,
  );
});

test("the digest of a program that an earlier release kept is remembered", async () => {
  writeFileSync(target(), PROGRAM);
  await checkDigest(target());
  expect(existsSync(`${target()}.sha256`)).toBe(true);
});
