import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unique } from "../rigs/runs/run-fixture.ts";
import { sorted } from "../rigs/runs/run-judge.ts";
import {
  isSending,
  startUnluckyFileRig,
  type UnluckyFileRig,
} from "../rigs/runs/unlucky-file-rig.ts";
import { selfSigned } from "../rigs/servers/credentials.ts";
import { startProxy, type Fault } from "../rigs/servers/proxy.ts";

const MIB = 2 ** 20;

let rig: UnluckyFileRig;
beforeAll(async () => {
  rig = await startUnluckyFileRig();
});
afterAll(() => rig.end());

describe.concurrent("bad luck at another instance", () => {
  test("a wrong password at another instance fails every file and says what to check", async () => {
    const { name, files, end } = await rig.place("password");
    const cluster = await rig.product.partner(unique("stranger"), {
      ...rig.edge,
      password: "wrong-of-edge",
    });
    const { status, counts, reasons, errorReason } = await rig.ended(
      await rig.start({ name, cluster }),
    );
    await end();
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({
      planned: files.size,
      failed: files.size,
      notDone: 0,
    });
    for (const reason of reasons)
      expect(reason).toMatch(
        /answered 401.*check username, password and what this user may do there/,
      );
    expect(errorReason).not.toContain("wrong-of-edge");
  });

  test("a run to a server that is not an instance of this product fails and says so", async () => {
    const { name, end } = await rig.place("stranger");
    const other = await startProxy(rig.edge.url);
    other.fault = () => ({
      kind: "answer",
      status: 404,
      body: "<html>not here</html>",
    });
    const cluster = await rig.product.partner(unique("other"), rig.edge, other.url);
    const { status, reasons } = await rig.ended(await rig.start({ name, cluster }));
    await Promise.all([end(), other.stop()]);
    expect(status).toBe("FAILED");
    for (const reason of reasons)
      expect(reason).toMatch(
        /is not an instance of this product.*check the cluster's url; a registry is a cluster of type REMOTE/,
      );
  });

  test("a file with damaged content in the local store fails alone, whether it is small or large", async () => {
    const sizes = [100, 100_000, 200_000, 2 * MIB, 3 * MIB];
    const { name, files, cluster, end } = await rig.place("damaged", sizes);
    const damaged = [...files].filter(([path]) => /000[24]\.bin$/.test(path));
    for (const [, digest] of damaged) damage(rig.center.dataDir, digest);
    const { status, counts, reasons } = await rig.ended(
      await rig.start({ name, cluster }),
    );
    await end();
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({ planned: 5, success: 3, failed: 2 });
    for (const reason of reasons)
      expect(reason).toMatch(
        /the content in the local store is damaged .*: upload the file again/,
      );
    const whole = new Map(files);
    for (const [path] of damaged) whole.delete(path);
    expect(sorted(await rig.there(name))).toEqual(sorted(whole));
  });

  test.each([
    [
      "because of its size limit",
      { kind: "answer", status: 413 },
      /answered 413.*raise the limit of the server or of the proxy before it/,
    ],
    [
      "because its disk is full",
      {
        kind: "answer",
        status: 507,
        body: `{"code":250102,"message":"the disk of the store is full","data":null}`,
      },
      /the disk is full at 127\.0\.0\.1:\d+: free space there/,
    ],
  ] satisfies [string, Fault, RegExp][])(
    "an instance that accepts no more data %s fails the files, says what to do and shows no half-written file",
    async (_, fault, reason) => {
      const { name, files, proxy, cluster, end } = await rig.place("tight");
      proxy.fault = (request) => (isSending(request) ? fault : null);
      const { status, counts, reasons } = await rig.ended(
        await rig.start({ name, cluster }),
      );
      await end();
      expect(status).toBe("FAILED");
      expect(counts).toMatchObject({
        planned: files.size,
        failed: files.size,
        notDone: 0,
      });
      for (const said of reasons) expect(said).toMatch(reason);
      expect((await rig.there(name)).size).toBe(0);
    },
  );

  test("errorStrategy FAST_FAIL ends a run of files at the first failure", async () => {
    const { name, files, cluster, end } = await rig.place(
      "strict",
      Array.from({ length: 300 }, () => 20_000),
    );
    for (const digest of files.values()) damage(rig.center.dataDir, digest);
    const { status, errorReason, counts, details } = await rig.ended(
      await rig.start({ name, cluster }, { setting: { errorStrategy: "FAST_FAIL" } }),
    );
    await end();
    expect(status).toBe("FAILED");
    expect(errorReason).toMatch(
      /^stopped at the first failure \(FAST_FAIL\): .*the content in the local store is damaged/,
    );
    expect(details).toHaveLength(counts.success + counts.failed);
    expect(counts.notDone).toBeGreaterThan(0);
  });

  test("an untrusted certificate of an instance fails the files at once and says what to set", async () => {
    const { name, end } = await rig.place("tls");
    const folder = mkdtempSync(join(tmpdir(), "certificate-"));
    const { key, certificate } = selfSigned(folder);
    const secure = await startProxy(rig.edge.url, {
      tls: { key: readFileSync(key, "utf8"), cert: readFileSync(certificate, "utf8") },
    });
    const cluster = await rig.product.partner(unique("untrusted"), rig.edge, secure.url);
    const { status, reasons } = await rig.ended(await rig.start({ name, cluster }));
    await Promise.all([end(), secure.stop()]);
    rmSync(folder, { recursive: true });
    expect(status).toBe("FAILED");
    for (const reason of reasons)
      expect(reason).toMatch(
        /certificate of .* is not signed by a trusted CA .*: set `certificate` to the CA's PEM/,
      );
  });

  test("an unreachable instance fails the files after the retry window, with the last reason", async () => {
    const { name, files, end } = await rig.place("gone");
    const cluster = await rig.product.partner(
      unique("gone"),
      rig.edge,
      "http://127.0.0.1:9",
    );
    const { status, counts, reasons } = await rig.ended(
      await rig.start({ name, cluster }),
    );
    await end();
    expect({ status, failed: counts.failed }).toEqual({
      status: "FAILED",
      failed: files.size,
    });
    for (const reason of reasons)
      expect(reason).toMatch(/connection refused.*\(tried for \d+ s\)$/);
  });
});

/** Damages the file of a blob in the store; the blob must be too large to be stored inline in the database. */
function damage(dataDir: string, digest: string): void {
  const file = join(dataDir, "blobs", digest.slice(0, 2), digest.slice(2, 4), digest);
  writeFileSync(file, randomBytes(readFileSync(file).length));
}
