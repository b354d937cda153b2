import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unique } from "../rigs/runs/run-fixture.ts";
import { sorted } from "../rigs/runs/run-judge.ts";
import { startUnluckyRig, type UnluckyRig } from "../rigs/runs/unlucky-rig.ts";
import { selfSigned, USER } from "../rigs/servers/credentials.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

let rig: UnluckyRig;
beforeAll(async () => {
  rig = await startUnluckyRig();
});
afterAll(() => rig.end());

describe.concurrent("a registry without access", () => {
  test("a wrong password at the target registry fails every image and says what to check", async () => {
    const guarded = await startRegistry("docker-registry", { auth: "htpasswd" });
    const name = unique("password");
    const cluster = await rig.product.registry(unique("guarded"), guarded.url, {
      username: USER.username,
      password: "wrong-of-alice",
    });
    const { key } = await rig.begin(name, { clusters: [cluster] });
    const { status, counts, reasons, errorReason } = await rig.ended(key);
    await guarded.stop();
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({ planned: 3, failed: 3, success: 0, notDone: 0 });
    for (const reason of reasons)
      expect(reason).toMatch(
        new RegExp(
          String.raw`${name}/app:v\d.* answered 401.*` +
            "check username, password and what this user may do there",
        ),
      );
    expect(errorReason).toContain(`3 of 3 artifacts failed, first ${name}/app:v`);
    expect(errorReason).not.toContain("wrong-of-alice");
  });

  test("a wrong password at the source registry fails the run and says which repository cannot be listed", async () => {
    const guarded = await startRegistry("docker-registry", { auth: "htpasswd" });
    const name = unique("guarded");
    await rig.product.linked(rig.projectId, name, guarded.url, {
      username: USER.username,
      password: "wrong-of-alice",
    });
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: name, repoType: "OCI" }],
      clusters: [rig.cluster],
    });
    const { status, errorReason, details } = await rig.ended(key);
    await guarded.stop();
    expect({ status, details }).toEqual({ status: "FAILED", details: [] });
    expect(errorReason).toMatch(
      new RegExp(
        `/${name} cannot be listed: .* does not list its repositories to this user` +
          ".*check the login, or name the packages",
      ),
    );
  });

  test("a source that cannot be reached fails the run once the retry window has passed", async () => {
    const name = unique("nowhere");
    await rig.product.linked(rig.projectId, name, "http://127.0.0.1:9");
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: name, repoType: "OCI" }],
      clusters: [rig.cluster],
    });
    const { status, errorReason } = await rig.ended(key);
    expect(status).toBe("FAILED");
    expect(errorReason).toMatch(
      new RegExp(
        String.raw`/${name} cannot be listed: .*127\.0\.0\.1:9: connection refused \(ECONNREFUSED\)` +
          String.raw`: is the server running, and is the port right\?`,
      ),
    );
  });

  test("a target that cannot be reached fails the images after the retry window, with the last reason", async () => {
    const cluster = await rig.product.registry(unique("nowhere"), "http://127.0.0.1:9");
    const { key } = await rig.begin(unique("refused"), { clusters: [cluster] });
    const { status, counts, reasons } = await rig.ended(key);
    expect({ status, failed: counts.failed }).toEqual({ status: "FAILED", failed: 3 });
    for (const reason of reasons)
      expect(reason).toMatch(
        /connection refused.*is the server running.*\(tried for \d+ s\)$/,
      );
  });

  test("an untrusted certificate of a registry fails the images at once, until its PEM is set", async () => {
    const folder = mkdtempSync(join(tmpdir(), "certificate-"));
    const { key: keyFile, certificate: file } = selfSigned(folder);
    const certificate = readFileSync(file, "utf8");
    const secure = await startProxy(rig.target.url, {
      tls: { key: readFileSync(keyFile, "utf8"), cert: certificate },
    });
    const untrusted = await rig.product.registry(unique("untrusted"), secure.url);
    const name = unique("tls");
    const { key, images } = await rig.begin(name, { clusters: [untrusted] });
    const refused = await rig.ended(key);
    expect(refused.counts).toMatchObject({ planned: 3, failed: 3 });
    for (const reason of refused.reasons)
      expect(reason).toMatch(
        /certificate of .* is not signed by a trusted CA .*: set `certificate` to the CA's PEM$/,
      );
    const trusted = await rig.product.registry(unique("trusted"), secure.url, {
      certificate,
    });
    expect(
      await rig.ended(await rig.start(name, [`${name}/app`], { clusters: [trusted] })),
    ).toMatchObject({
      status: "SUCCESS",
    });
    expect(sorted(await rig.there(name))).toEqual(sorted(images));
    await secure.stop();
    rmSync(folder, { recursive: true });
  });

  test("a run from a source that does not list its repositories fails and asks for package names", async () => {
    const closedCatalog = await startProxy(rig.source.url);
    closedCatalog.fault = ({ path }) =>
      path.startsWith("/v2/_catalog")
        ? { kind: "answer", status: 401, body: `{"errors":[{"code":"UNAUTHORIZED"}]}` }
        : null;
    const name = unique("uncatalogued");
    await rig.product.linked(rig.projectId, name, closedCatalog.url);
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: name, repoType: "OCI" }],
      clusters: [rig.cluster],
    });
    const { status, errorReason } = await rig.ended(key);
    await closedCatalog.stop();
    expect(status).toBe("FAILED");
    expect(errorReason).toMatch(
      new RegExp(`/${name} cannot be listed: .*packageConstraints`),
    );
  });
});
