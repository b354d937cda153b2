import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { damageContent } from "../rigs/api/damage.ts";
import type { Instance } from "../rigs/runs/instance.ts";
import { closed, openProduct, sha256, unique } from "../rigs/runs/run-fixture.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";

let rig: FileRig;
beforeAll(async () => {
  rig = await startFileRig();
});
afterAll(() => rig.end());

const SIZES = { small: 300, large: 100_000 };

/** Returns the contents that an instance reports as damaged, by sha256. */
async function damagedAt(instance: Instance): Promise<string[]> {
  const problems = await openProduct(instance).call<{ alert: string; message: string }[]>(
    "GET",
    "/replication/api/system/problems",
  );
  return problems
    .filter(({ alert }) => alert === "ContentDamaged")
    .map(({ message }) => /sha256:([0-9a-f]{64})/.exec(message)?.[1] ?? message);
}

describe.each(Object.entries(SIZES))("a %s content that is wrong", (_kind, size) => {
  const hosted = async () => {
    const name = unique("files");
    await rig.product.hosted(rig.projectId, name);
    const bytes = randomBytes(size);
    await rig.product.upload(rig.projectId, name, "/one.bin", bytes);
    await rig.product.upload(rig.projectId, name, "/other.bin", randomBytes(size));
    const run = () =>
      rig.product.run({
        projectId: rig.projectId,
        objects: [{ localRepoName: name, repoType: "GENERIC" }],
        clusters: [rig.cluster],
      });
    const downloadFrom = (from: FileRig["product"]) =>
      from.download(rig.projectId, name, "/one.bin").catch(() => null);
    return { name, bytes, digest: sha256(bytes), run, downloadFrom };
  };

  test("at the target is in the quarantine there once somebody reads it, and a run repairs it", async () => {
    const { bytes, digest, run, downloadFrom } = await hosted();
    const key = await run();
    expect(await closed(rig.product, key)).toMatchObject({ status: "SUCCESS" });
    damageContent(rig.edge.dataDir, digest, "a flipped byte");
    expect(await downloadFrom(rig.partner)).toBe(null);
    await expect.poll(() => damagedAt(rig.edge)).toContain(digest);

    await rig.product.execute(key);
    const { status, counts } = await closed(rig.product, key);
    expect([status, counts.success]).toEqual(["SUCCESS", 2]);
    expect(await downloadFrom(rig.partner)).toEqual(bytes);
    await expect.poll(() => damagedAt(rig.edge)).not.toContain(digest);
  });

  test("at the source is reported by the worker that reads it, and is not sent", async () => {
    const { name, bytes, digest, run, downloadFrom } = await hosted();
    damageContent(rig.center.dataDir, digest, "a flipped byte");
    const key = await run();
    await expect.poll(() => damagedAt(rig.center)).toContain(digest);
    expect(await downloadFrom(rig.product)).toBe(null);
    expect(await downloadFrom(rig.partner)).toBe(null);

    const replace = { "X-BKREPO-OVERWRITE": "true" };
    await rig.product.upload(rig.projectId, name, "/one.bin", bytes, replace);
    await closed(rig.product, key);
    await rig.product.execute(key);
    expect(await closed(rig.product, key)).toMatchObject({ status: "SUCCESS" });
    expect(await downloadFrom(rig.partner)).toEqual(bytes);
    await expect.poll(() => damagedAt(rig.center)).not.toContain(digest);
  });
});
