import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  flipped,
  packagesOf,
  publish,
  startNpmRig,
  view,
  type NpmRig,
} from "../rigs/runs/npm-rig.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import type { FaultProxy } from "../rigs/servers/proxy.ts";

let rig: NpmRig;
beforeAll(async () => {
  rig = await startNpmRig();
});
afterAll(() => rig.end());
afterEach(() => rig.passAll());

describe("bytes that are read at a target npm registry", () => {
  /** Makes the target answer package documents without digests. */
  const undigested: FaultProxy["fault"] = ({ path }) =>
    path.includes(".tgz")
      ? null
      : {
          kind: "alter",
          body: (whole) =>
            Buffer.from(
              whole.toString("utf8").replace(/"(integrity|shasum)":/g, '"_$1":'),
            ),
        };
  const downloads = (name: string) =>
    rig.to.proxy.requests.filter(
      ({ method, path }) => method === "GET" && path.includes(`${name}/-/`),
    ).length;

  test("READ_BACK reads each tarball after it was written, and fails it if the bytes differ", async () => {
    const [good, damaged] = [unique("good-"), unique("damaged-")];
    const tarballs = await publish(rig.from, good, ["1.0.0"]);
    const object = { localRepoName: rig.source };
    const setting = { verification: "READ_BACK" };
    const proved = await rig.run(
      { ...object, packageConstraints: packagesOf(good) },
      { setting },
    );
    expect(proved.record).toMatchObject({
      status: "SUCCESS",
      bytesRead: tarballs.get("1.0.0")?.length,
    });
    expect(proved.details).toMatchObject([{ verified: "READ_BACK" }]);

    const lost = unique("lost-");
    await publish(rig.from, lost, ["1.0.0"]);
    let losses = 1;
    rig.to.proxy.fault = ({ method, path }) =>
      method === "PUT" && path.includes(lost) && losses-- > 0
        ? { kind: "loseAnswer" }
        : null;
    const earlier = await rig.run(
      { ...object, packageConstraints: packagesOf(lost) },
      { setting },
    );
    expect(earlier.record).toMatchObject({
      status: "SUCCESS",
      counts: { success: 1, conflict: 0 },
    });
    expect(earlier.details).toMatchObject([
      { verified: "READ_BACK", compared: "DIGEST" },
    ]);
    expect(downloads(lost)).toBe(1);

    await publish(rig.from, damaged, ["1.0.0"]);
    rig.to.proxy.fault = ({ method, path }) =>
      method === "GET" && path.includes(`${damaged}/-/`)
        ? { kind: "alter", body: flipped }
        : null;
    const refused = await rig.run(
      { ...object, packageConstraints: packagesOf(damaged) },
      { setting },
    );
    expect(refused.record).toMatchObject({
      status: "FAILED",
      counts: { success: 0, failed: 1 },
    });
    expect(refused.details[0]?.errorReason).toContain(
      "afterwards other content is there",
    );
  });

  test("versions without a digest at the target are compared by their bytes, up to compareReadLimit", async () => {
    const name = unique("undigested-");
    const tarballs = await publish(rig.from, name, ["1.0.0"]);
    for (const [version, tarball] of tarballs)
      await rig.to.npm.put(name, version, tarball);
    const object = { localRepoName: rig.source, packageConstraints: packagesOf(name) };
    rig.to.proxy.fault = undigested;
    const read = await rig.run(object);
    expect(read.record).toMatchObject({
      status: "SUCCESS",
      counts: { success: 1, skip: 1, conflict: 0 },
      bytesRead: tarballs.get("1.0.0")?.length,
    });
    expect(read.details).toMatchObject([{ compared: "READ" }]);

    const before = downloads(name);
    const limited = await rig.run(object, { setting: { compareReadLimit: 100 } });
    expect(limited.record).toMatchObject({
      counts: { success: 1, skip: 1, conflict: 1 },
      bytesRead: 0,
    });
    const unread = await rig.run(object, { setting: { compare: "SIZE" } });
    expect(unread.record).toMatchObject({
      counts: { success: 1, skip: 1, conflict: 1 },
      bytesRead: 0,
    });
    expect(downloads(name)).toBe(before);
  });
});

describe("dist-tags at a target npm registry", () => {
  test("the dist-tag latest follows the source to older versions under OVERWRITE, but not under SKIP", async () => {
    const name = unique("tagged-");
    await publish(rig.from, name, ["1.0.0", "1.1.0", "3.0.0"]);
    await publish(rig.to, name, ["2.0.0"]);
    const object = { localRepoName: rig.source, packageConstraints: packagesOf(name) };
    await rig.run(object);
    expect(await view(rig.to, name, "dist-tags.latest")).toBe("2.0.0");
    await rig.from.npm.run(".", "dist-tag", "add", `${name}@1.1.0`, "latest");
    await rig.run(object, { setting: { conflictStrategy: "OVERWRITE" } });
    expect(await view(rig.to, name, "dist-tags.latest")).toBe("1.1.0");
    await rig.from.npm.run(".", "dist-tag", "add", `${name}@1.0.0`, "latest");
    await rig.run(object);
    expect(await view(rig.to, name, "dist-tags.latest")).toBe("1.1.0");
    await rig.from.npm.run(".", "dist-tag", "add", `${name}@3.0.0`, "latest");
    await rig.run(object);
    expect(await view(rig.to, name, "dist-tags.latest")).toBe("3.0.0");
  });
});
