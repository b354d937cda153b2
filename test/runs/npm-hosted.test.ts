import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  expectThere,
  publish,
  startNpmRig,
  view,
  type NpmRig,
} from "../rigs/runs/npm-rig.ts";
import { unique } from "../rigs/runs/run-fixture.ts";

let rig: NpmRig;
beforeAll(async () => {
  rig = await startNpmRig();
});
afterAll(() => rig.end());
afterEach(() => rig.passAll());

describe("a run of a hosted NPM repository to a registry", () => {
  test("a run publishes hosted npm versions that npm can fetch, also into another repository name", async () => {
    const [repoName, name] = [unique("npm"), unique("own-")];
    await rig.product.hosted(rig.projectId, repoName, "NPM");
    const here = rig.open(rig.center, repoName);
    const tarballs = await publish(here, name, ["1.0.0", "2.0.0"]);
    await here.npm.run(".", "deprecate", `${name}@1.0.0`, "old");
    const { record } = await rig.run({ localRepoName: repoName });
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 2, success: 2 },
    });
    await expectThere(rig.to, name, tarballs);
    expect(await view(rig.to, name, "dist-tags")).toEqual({ latest: "2.0.0" });
    expect(await view(rig.to, `${name}@1.0.0`, "deprecated")).toBe("old");

    const mirror = unique("mirror");
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, mirror, "NPM");
    const npmEndpoint = await rig.product.registry(
      unique("endpoint"),
      `${rig.edge.url}/npm`,
      {
        username: rig.edge.username,
        password: rig.edge.password,
      },
    );
    const named = await rig.run(
      { localRepoName: repoName, remoteProjectId: rig.projectId, remoteRepoName: mirror },
      { clusters: [npmEndpoint] },
    );
    expect(named.record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 2, success: 2 },
    });
    await expectThere(rig.open(rig.edge, mirror), name, tarballs);
  });

  test("a run whose publications are cut off goes on, and each version exists once at the target", async () => {
    const [repoName, name] = [unique("npm"), unique("cut-")];
    await rig.product.hosted(rig.projectId, repoName, "NPM");
    const tarballs = await publish(rig.open(rig.center, repoName), name, [
      "1.0.0",
      "1.1.0",
      "1.2.0",
    ]);
    let cuts = 2;
    rig.to.proxy.fault = ({ method, path }) =>
      method === "PUT" && path.includes(name) && cuts-- > 0
        ? { kind: "cutRequest", afterBytes: 400 }
        : null;
    const { record } = await rig.run({ localRepoName: repoName });
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 3, success: 3, failed: 0 },
    });
    await expectThere(rig.to, name, tarballs);
  });
});
