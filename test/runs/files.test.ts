import { randomBytes } from "node:crypto";
import { Client } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { PRIORITY } from "../../workflows/contract.ts";
import {
  closed,
  follow,
  sha256,
  type RecordDetail,
  type TaskDraft,
  unique,
} from "../rigs/runs/run-fixture.ts";
import {
  expectWhole,
  filesSentAgain,
  listFiles,
  sorted,
} from "../rigs/runs/run-judge.ts";
import { startFileRig, whileFrozen, type FileRig } from "../rigs/runs/run-rig.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";

const MIB = 2 ** 20;
/** Sizes of files. The third file is large enough for an upload session in more than one part. */
const BIG = [1.5 * MIB, 3 * MIB, 70 * MIB];
const KEPT = "/kept/with-metadata.txt";

let rig: FileRig;
let files: Listing;

beforeAll(async () => {
  rig = await startFileRig();
  await rig.product.hosted(rig.projectId, "files");
  files = await fillRepository(rig.product, rig.projectId, "files", [
    ...Array.from({ length: 400 }, (_, at) => at * 10),
    ...BIG,
  ]);
  const content = randomBytes(500);
  await rig.product.upload(rig.projectId, "files", KEPT, content, {
    "X-BKREPO-META-colour": "blue",
  });
  files.set(KEPT, sha256(content));
});
afterAll(() => rig.end());
afterEach(() => {
  rig.proxy.fault = () => null;
});

const run = ({
  to = "files",
  paths,
  ...rest
}: Partial<TaskDraft> & { to?: string; paths?: string[] }) => {
  const object = {
    localRepoName: "files",
    repoType: "GENERIC" as const,
    remoteRepoName: to,
    ...(paths && { pathConstraints: paths.map((path) => ({ path })) }),
  };
  return rig.product.run({
    projectId: rig.projectId,
    objects: [object],
    clusters: [rig.cluster],
    ...rest,
  });
};
const there = (repoName: string) =>
  listFiles(rig.partner, rig.projectId, repoName, sha256);
const byPath = (details: RecordDetail[], path: string) =>
  details.find(({ artifactName }) => artifactName === path);
const node = (repoName: string, path: string) =>
  rig.partner.call<Record<string, unknown>>(
    "GET",
    `/repository/api/node/detail/${rig.projectId}/${repoName}${encodeURI(path)}`,
  );

describe("a run of files to another instance", () => {
  test("a run copies all files unchanged and with their metadata, and the second run has nothing to do", async () => {
    const to = unique("copied");
    const key = await run({ to });
    const record = await closed(rig.product, key);
    const details = await expectWhole(rig.product, record, files);
    expect(sorted(await there(to))).toEqual(sorted(files));
    expect(await node(to, KEPT)).toMatchObject({
      size: 500,
      metadata: { colour: "blue" },
    });
    expect(byPath(details, KEPT)).toMatchObject({
      version: null,
      size: 500,
      remoteCluster: "edge",
      executeType: "FULL",
      progress: { blob: { success: 1 }, node: { success: 1 }, version: null },
    });
    expect(filesSentAgain(rig.proxy.requests, `${rig.projectId}/${to}`, details)).toEqual(
      [],
    );

    rig.proxy.clear();
    await rig.product.execute(key);
    const again = await closed(rig.product, key);
    await expectWhole(rig.product, again, files);
    expect(again.counts).toMatchObject({ skip: files.size, conflict: 0 });
    expect(rig.proxy.requests.filter(({ path }) => path.includes("/uploads"))).toEqual(
      [],
    );
    const bytes = rig.proxy.requests.reduce((sum, request) => sum + request.bytes, 0);
    expect(bytes).toBeLessThan(files.size * 600);
  });

  test("a run of thousands of small files needs few requests", async () => {
    const many = unique("many");
    await rig.product.hosted(rig.projectId, many);
    const listing = await fillRepository(
      rig.product,
      rig.projectId,
      many,
      Array.from({ length: 2_000 }, () => 300),
    );
    rig.proxy.clear();
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: many, repoType: "GENERIC" }],
      clusters: [rig.cluster],
    });
    await expectWhole(rig.product, await closed(rig.product, key), listing);
    // The instance asks for capabilities also while no run is going on.
    expect(
      rig.proxy.requests.filter(({ path }) => !path.endsWith("/capabilities")).length,
    ).toBeLessThan(30);
  });

  test("Temporal gives runs of different projects their turns, and prefers small runs to longer ones", async () => {
    const connection = clientConnection({
      temporalAddress: rig.center.endpoints().temporal,
    });
    const client = new Client({ connection });
    const priorityOf = async (id: string) =>
      (await client.workflow.getHandle(id).describe()).priority;
    const [first = ""] = files.keys();
    for (const [paths, priorityKey] of [
      [[first], PRIORITY.soon],
      [undefined, PRIORITY.other],
    ] as const) {
      const { workflowId } = await closed(
        rig.product,
        await run({ to: "in-turns", ...(paths && { paths: [...paths] }) }),
      );
      expect(await priorityOf(workflowId)).toMatchObject({
        fairnessKey: rig.projectId,
        priorityKey: PRIORITY.soon,
      });
      expect(await priorityOf(`${workflowId}/edge/files`)).toMatchObject({
        fairnessKey: rig.projectId,
        priorityKey,
      });
    }
    await connection.close();
  });

  test("a PATH run copies files, folders and matches of *, and fails each path that matches nothing", async () => {
    const paths = [
      KEPT,
      "/folder 3",
      "/folder 1/sub/file-*5.bin",
      "/no/such.bin",
      "/folder 2/nothing-*.bin",
    ];
    const record = await closed(
      rig.product,
      await run({ type: "PATH", paths, to: "chosen" }),
    );
    const wanted = new Map(
      [...files].filter(
        ([path]) =>
          path.startsWith("/kept/") ||
          path.startsWith("/folder 3/") ||
          /^\/folder 1\/sub\/.*5\.bin$/.test(path),
      ),
    );
    expect(sorted(await there("chosen"))).toEqual(sorted(wanted));
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: wanted.size + 2, success: wanted.size, failed: 2, notDone: 0 },
    });
    expect(record.errorReason).toMatch(
      /^2 of \d+ artifacts failed, first (\/no\/such\.bin|\/folder 2\/nothing-\*\.bin): nothing matches path \1/,
    );
    const details = await rig.product.details(record.id);
    for (const path of paths.slice(3)) {
      expect(byPath(details, path)).toMatchObject({
        status: "FAILED",
        errorReason: expect.stringContaining(`nothing matches path ${path}`),
      });
    }
  });

  test("SKIP keeps a different file at the target, OVERWRITE replaces it, and FAST_FAIL stops the run", async () => {
    const paths = ["/folder 4"];
    const wanted = new Map([...files].filter(([path]) => path.startsWith("/folder 4/")));
    const [first = "", second = ""] = [...wanted.keys()].toSorted();
    const other = randomBytes(100);
    await closed(rig.product, await run({ type: "PATH", paths, to: "conflicts" }));
    const spoil = async () => {
      for (const path of [first, second])
        await rig.partner.upload(rig.projectId, "conflicts", encodeURI(path), other, {
          "X-BKREPO-OVERWRITE": "true",
        });
    };
    const attempt = async (conflictStrategy: string) => {
      await spoil();
      return closed(
        rig.product,
        await run({
          type: "PATH",
          paths,
          to: "conflicts",
          setting: { conflictStrategy },
        }),
      );
    };

    const stopped = await attempt("FAST_FAIL");
    expect(stopped).toMatchObject({
      status: "FAILED",
      counts: { planned: wanted.size, conflict: 1, failed: 1 },
    });
    expect(stopped.errorReason).toMatch(
      /^stopped at the first failure \(FAST_FAIL\): \/folder 4\/.* has other content there/,
    );

    const skipped = await attempt("SKIP");
    expect(skipped).toMatchObject({
      status: "SUCCESS",
      counts: {
        planned: wanted.size,
        success: wanted.size,
        skip: wanted.size,
        conflict: 2,
      },
    });
    expect(sorted(await there("conflicts"))).toEqual(
      sorted(new Map(wanted).set(first, sha256(other)).set(second, sha256(other))),
    );

    const replaced = await attempt("OVERWRITE");
    expect(replaced).toMatchObject({
      status: "SUCCESS",
      counts: {
        planned: wanted.size,
        success: wanted.size,
        skip: wanted.size - 2,
        conflict: 2,
      },
    });
    expect(sorted(await there("conflicts"))).toEqual(sorted(wanted));
  });

  test("a task's rateLimit holds for everything that its run sends", async () => {
    const rate = 3 * MIB;
    const name = unique("slow");
    await rig.product.hosted(rig.projectId, name);
    const slow = await fillRepository(rig.product, rig.projectId, name, [
      ...Array.from({ length: 60 }, () => 60_000),
      3 * MIB,
      4 * MIB,
    ]);
    rig.proxy.clear();
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: name, repoType: "GENERIC" }],
      clusters: [rig.cluster],
      setting: { rateLimit: rate },
    });
    await expectWhole(rig.product, await closed(rig.product, key), slow);
    const sends = rig.proxy.requests.filter(({ bytes }) => bytes > 0);
    const seconds =
      (Math.max(...sends.map(({ closed: over }) => over ?? 0)) -
        Math.min(...sends.map(({ time }) => time))) /
      1000;
    const bytes = sends.reduce((sum, request) => sum + request.bytes, 0);
    expect(bytes).toBeGreaterThan(slow.bytes);
    expect(bytes / seconds).toBeLessThan(1.1 * rate);
  });

  test("a run of a task with the setting record: false keeps its counts but no details", async () => {
    const record = await closed(
      rig.product,
      await run({ type: "PATH", paths: ["/folder 5"], to: "unrecorded", record: false }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: (await there("unrecorded")).size, failed: 0 },
    });
    await expect.poll(() => rig.product.details(record.id)).toEqual([]);
  });
});

describe("a run of files that is disturbed", () => {
  test("a file that was deleted after the run was planned fails, and the other files are sent", async () => {
    const name = unique("shrinking");
    await rig.product.hosted(rig.projectId, name);
    const all = await fillRepository(
      rig.product,
      rig.projectId,
      name,
      Array.from({ length: 300 }, () => 200),
    );
    const gone = [...all.keys()].slice(-20);
    const key = await whileFrozen(rig.center, async () => {
      const begun = await rig.product.run({
        projectId: rig.projectId,
        objects: [{ localRepoName: name, repoType: "GENERIC" }],
        clusters: [rig.cluster],
      });
      await follow(rig.product, begun, ({ counts }) => counts.planned === 300);
      for (const path of gone)
        await rig.product.call(
          "DELETE",
          `/generic/${rig.projectId}/${name}${encodeURI(path)}`,
        );
      return begun;
    });
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: 300, success: 280, failed: 20, notDone: 0 },
    });
    const failed = (await rig.product.details(record.id)).filter(
      ({ status }) => status === "FAILED",
    );
    expect(failed.map(({ artifactName }) => artifactName).toSorted()).toEqual(
      gone.toSorted(),
    );
    expect(failed[0]?.errorReason).toMatch(
      new RegExp(`is no longer in .*/${name}: it was deleted after the run was planned`),
    );
  });

  test("a stop ends the upload of a big file, and no part of it is visible at the target", async () => {
    const name = unique("cut");
    await rig.product.hosted(rig.projectId, name);
    await fillRepository(rig.product, rig.projectId, name, [60 * MIB]);
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: name, repoType: "GENERIC" }],
      clusters: [rig.cluster],
      setting: { rateLimit: MIB },
    });
    const uploads = () =>
      rig.proxy.requests.filter(
        ({ method, path }) => method === "PATCH" && path.includes("/uploads/"),
      );
    rig.proxy.clear();
    await follow(rig.product, key, ({ replicatedBytes }) => replicatedBytes > MIB);
    const asked = Date.now();
    await rig.product.stop(key);
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({
      status: "FAILED",
      errorReason: "stopped by admin",
      counts: { planned: 1, failed: 1, notDone: 0 },
    });
    expect(uploads().length).toBeGreaterThan(0);
    await expect
      .poll(() => uploads().filter(({ closed: over }) => over === null))
      .toEqual([]);
    expect(uploads().filter(({ closed: over }) => Number(over) > asked + 20_000)).toEqual(
      [],
    );
    expect((await there(name)).size).toBe(0);
  });
});
