import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  closed,
  follow,
  sha256,
  unique,
  type TaskDraft,
} from "../rigs/runs/run-fixture.ts";
import { listFiles, sorted } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";
import { selfSigned } from "../rigs/servers/credentials.ts";
import { startProxy, type Fault, type FaultProxy } from "../rigs/servers/proxy.ts";

/**
 * Retry window of the instances: long compared with the temporary refusals (2 + 4 s), also on a busy
 * machine.
 */
const RETRY_WINDOW_MS = 20_000;
const BOUND_MS = RETRY_WINDOW_MS + 40_000;
const MIB = 2 ** 20;

let rig: FileRig;
beforeAll(async () => {
  rig = await startFileRig({ env: { RETRY_WINDOW: `${RETRY_WINDOW_MS / 1000}s` } });
});
afterAll(() => rig.end());

/** Creates files for one test, and a cluster of its own behind a proxy of its own. */
async function place(
  name: string,
  sizes: number[] = [10, 20_000, 300_000, 2 * MIB],
): Promise<{
  files: Listing;
  proxy: FaultProxy;
  cluster: string;
  end: () => Promise<void>;
}> {
  await rig.product.hosted(rig.projectId, name);
  const files = await fillRepository(rig.product, rig.projectId, name, sizes);
  const proxy = await startProxy(rig.edge.url);
  const cluster = await rig.product.partner(unique(name), rig.edge, proxy.url);
  return { files, proxy, cluster, end: proxy.stop };
}

const start = (name: string, cluster: string, draft: Partial<TaskDraft> = {}) =>
  rig.product.run({
    projectId: rig.projectId,
    objects: [{ localRepoName: name, repoType: "GENERIC" }],
    clusters: [cluster],
    ...draft,
  });

async function ended(key: string) {
  const record = await closed(rig.product, key, BOUND_MS);
  const details = await rig.product.details(record.id);
  expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
  const reasons = details
    .filter(({ status }) => status === "FAILED")
    .map(({ errorReason }) => errorReason ?? "");
  return { ...record, details, reasons };
}
const there = (name: string) =>
  listFiles(rig.partner, rig.projectId, name, sha256).catch((error: unknown) =>
    String(error).includes("25100") ? new Map<string, string>() : Promise.reject(error),
  );
const isSync = ({ path }: { path: string }) => path.includes("/sync/v1/");

describe.concurrent(
  "bad luck at another instance",
  { timeout: BOUND_MS + 30_000 },
  () => {
    test("a wrong password at another instance fails every file and says what to check", async () => {
      const { files, end } = await place("password");
      const cluster = await rig.product.partner(unique("stranger"), {
        ...rig.edge,
        password: "wrong-of-edge",
      });
      const { status, counts, reasons, errorReason } = await ended(
        await start("password", cluster),
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
      const { end } = await place("stranger");
      const other = await startProxy(rig.edge.url);
      other.fault = () => ({
        kind: "answer",
        status: 404,
        body: "<html>not here</html>",
      });
      const cluster = await rig.product.partner(unique("other"), rig.edge, other.url);
      const { status, reasons } = await ended(await start("stranger", cluster));
      await Promise.all([end(), other.stop()]);
      expect(status).toBe("FAILED");
      for (const reason of reasons)
        expect(reason).toMatch(
          /is not an instance of this product.*check the cluster's url; a registry is a cluster of type REMOTE/,
        );
    });

    test("a file with damaged content in the local store fails alone, whether it is small or large", async () => {
      const { files, cluster, end } = await place("damaged", [
        100,
        100_000,
        200_000,
        2 * MIB,
        3 * MIB,
      ]);
      const damaged = [...files].filter(([path]) => /000[24]\.bin$/.test(path));
      for (const [, digest] of damaged) damage(rig.center.dataDir, digest);
      const { status, counts, reasons } = await ended(await start("damaged", cluster));
      await end();
      expect(status).toBe("FAILED");
      expect(counts).toMatchObject({ planned: 5, success: 3, failed: 2 });
      for (const reason of reasons)
        expect(reason).toMatch(
          /the content in the local store is damaged .*: upload the file again/,
        );
      const whole = new Map(files);
      for (const [path] of damaged) whole.delete(path);
      expect(sorted(await there("damaged"))).toEqual(sorted(whole));
    });

    test.each([
      [
        "limit",
        { kind: "answer", status: 413 },
        /answered 413.*raise the limit of the server or of the proxy before it/,
      ],
      [
        "disk",
        {
          kind: "answer",
          status: 507,
          body: `{"code":250102,"message":"the disk of the store is full","data":null}`,
        },
        /the disk is full at 127\.0\.0\.1:\d+: free space there/,
      ],
    ] satisfies [string, Fault, RegExp][])(
      "an instance that accepts no more data (%s) fails the files, says what to do and shows no half-written file",
      async (name, fault, reason) => {
        const { files, proxy, cluster, end } = await place(name);
        proxy.fault = (request) =>
          isSync(request) &&
          ["POST", "PATCH"].includes(request.method) &&
          !request.path.includes("/repositories/")
            ? fault
            : null;
        const { status, counts, reasons } = await ended(await start(name, cluster));
        await end();
        expect(status).toBe("FAILED");
        expect(counts).toMatchObject({
          planned: files.size,
          failed: files.size,
          notDone: 0,
        });
        for (const said of reasons) expect(said).toMatch(reason);
        expect((await there(name)).size).toBe(0);
      },
    );

    test.each([429, 503, 500])(
      "a run to an instance that answers %i for a while takes longer and succeeds",
      async (status) => {
        const name = `busy-${status}`;
        const { files, proxy, cluster, end } = await place(name);
        let refusals = 0;
        proxy.fault = (request) => {
          if (!isSync(request) || !/POST|PATCH/.test(request.method) || refusals >= 3)
            return null;
          refusals += 1;
          return { kind: "answer", status, headers: { "retry-after": "1" } };
        };
        const key = await start(name, cluster);
        await follow(
          rig.product,
          key,
          ({ status: now }) => now !== "RUNNING" || refusals > 0,
        );
        const { status: state, counts, details } = await ended(key);
        await end();
        expect({ state, ...counts }).toMatchObject({
          state: "SUCCESS",
          success: files.size,
          failed: 0,
          conflict: 0,
        });
        expect(details.every(({ errorReason }) => errorReason === null)).toBe(true);
        expect(sorted(await there(name))).toEqual(sorted(files));
      },
    );

    test("a run whose connections break in the middle of contents takes longer and succeeds", async () => {
      const { files, proxy, cluster, end } = await place("breaks", [
        ...Array.from({ length: 30 }, () => 50_000),
        3 * MIB,
      ]);
      let breaks = 0;
      proxy.fault = (request) => {
        if (
          !isSync(request) ||
          !/POST|PATCH/.test(request.method) ||
          request.path.includes("/repositories/") ||
          breaks >= 4
        )
          return null;
        breaks += 1;
        return { kind: "cutRequest", afterBytes: 100_000 };
      };
      const { status, counts } = await ended(await start("breaks", cluster));
      await end();
      expect(breaks).toBe(4);
      expect({ status, ...counts }).toMatchObject({
        status: "SUCCESS",
        success: files.size,
        failed: 0,
        conflict: 0,
      });
      expect(sorted(await there("breaks"))).toEqual(sorted(files));
    });

    test("errorStrategy FAST_FAIL ends a run of files at the first failure", async () => {
      const { files, cluster, end } = await place(
        "strict",
        Array.from({ length: 300 }, () => 20_000),
      );
      for (const digest of files.values()) damage(rig.center.dataDir, digest);
      const { status, errorReason, counts, details } = await ended(
        await start("strict", cluster, { setting: { errorStrategy: "FAST_FAIL" } }),
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
      const { end } = await place("tls");
      const folder = mkdtempSync(join(tmpdir(), "certificate-"));
      const { key, certificate } = selfSigned(folder);
      const secure = await startProxy(rig.edge.url, {
        tls: { key: readFileSync(key, "utf8"), cert: readFileSync(certificate, "utf8") },
      });
      const cluster = await rig.product.partner(
        unique("untrusted"),
        rig.edge,
        secure.url,
      );
      const { status, reasons } = await ended(await start("tls", cluster));
      await Promise.all([end(), secure.stop()]);
      rmSync(folder, { recursive: true });
      expect(status).toBe("FAILED");
      for (const reason of reasons)
        expect(reason).toMatch(
          /certificate of .* is not signed by a trusted CA .*: set `certificate` to the CA's PEM/,
        );
    });

    test("an unreachable instance fails the files after the retry window, with the last reason", async () => {
      const { files, end } = await place("gone");
      const cluster = await rig.product.partner(
        unique("gone"),
        rig.edge,
        "http://127.0.0.1:9",
      );
      const { status, counts, reasons } = await ended(await start("gone", cluster));
      await end();
      expect({ status, failed: counts.failed }).toEqual({
        status: "FAILED",
        failed: files.size,
      });
      for (const reason of reasons)
        expect(reason).toMatch(/connection refused.*\(tried for \d+ s\)$/);
    });
  },
);

/** Damages the file of a blob in the store; the blob must be too large to be stored inline in the database. */
function damage(dataDir: string, digest: string): void {
  const file = join(dataDir, "blobs", digest.slice(0, 2), digest.slice(2, 4), digest);
  writeFileSync(file, randomBytes(readFileSync(file).length));
}
