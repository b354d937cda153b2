import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { random, sha256 } from "../rigs/api/content-fixture.ts";
import { closed, unique } from "../rigs/runs/run-fixture.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { mvnClient } from "../rigs/servers/mvn.ts";
import { npmClient } from "../rigs/servers/npm-client.ts";

const GROUP = "org.example.copied.here";

let rig: FileRig;
beforeAll(async () => {
  rig = await startFileRig();
});
afterAll(() => rig.end());

const run = async (repoName: string, repoType: "MAVEN" | "NPM") => {
  const key = await rig.product.run({
    projectId: rig.projectId,
    objects: [{ localRepoName: repoName, repoType }],
    clusters: [rig.cluster],
  });
  expect(await closed(rig.product, key)).toMatchObject({
    status: "SUCCESS",
    counts: { failed: 0, notDone: 0 },
  });
};

test("mvn resolves the newest release and the newest snapshot build at the target", async (context) => {
  const repoName = unique("maven");
  await rig.product.hosted(rig.projectId, repoName, "MAVEN");
  const at = ({ url, username, password }: FileRig["center"]) =>
    mvnClient({
      url: `${url}/maven/${rig.projectId}/${repoName}`,
      username,
      password,
      group: GROUP,
    });
  const [here, there] = [await at(rig.center), await at(rig.edge)];
  if (here === null || there === null)
    return context.skip("Maven or one of its plugins is not available");
  onTestFinished(() => {
    here.close();
    there.close();
  });
  const jar = random(2_000_000);
  await here.deploy({
    artifactId: "app",
    version: "1.9",
    file: here.file("app.jar", "old"),
  });
  await here.deploy({
    artifactId: "app",
    version: "1.10",
    file: here.file("app.jar", jar),
    sources: here.file("sources.jar", "sources"),
  });
  await here.deploy({
    artifactId: "snap",
    version: "1.0-SNAPSHOT",
    file: here.file("snap.jar", "one"),
  });
  await run(repoName, "MAVEN");
  await here.deploy({
    artifactId: "snap",
    version: "1.0-SNAPSHOT",
    file: here.file("snap.jar", "two"),
  });
  await run(repoName, "MAVEN");
  const app = join(await there.resolve("app:RELEASE"), "app", "1.10");
  expect(sha256(readFileSync(join(app, "app-1.10.jar")))).toBe(sha256(jar));
  const snap = join(await there.resolve("snap:1.0-SNAPSHOT"), "snap", "1.0-SNAPSHOT");
  const newest = readdirSync(snap).find((name) => /\d-2\.jar$/.test(name));
  expect(readFileSync(join(snap, newest ?? "none"), "utf8")).toBe("two");
});

test("npm installs copied packages at the target, by dist-tag, with dependency and deprecation", async () => {
  const repoName = unique("npm");
  await rig.product.hosted(rig.projectId, repoName, "NPM");
  const at = ({ url, username, password }: FileRig["center"]) =>
    npmClient(`${url}/npm/${rig.projectId}/${repoName}`, { username, password });
  const [here, there] = [at(rig.center), at(rig.edge)];
  onTestFinished(() => {
    here.remove();
    there.remove();
  });
  const publish = (name: string, version: string, manifest: object, ...args: string[]) =>
    here.run(
      here.folder(
        `${name.replace("/", "-")}-${version}`,
        { name, version, main: "index.js", ...manifest },
        { "index.js": `module.exports = "${name}@${version}";\n` },
      ),
      "publish",
      ...args,
    );
  await publish("copied-apple", "1.0.0", {});
  await publish("copied-apple", "1.1.0", {});
  await publish("copied-apple", "2.0.0-beta.1", {}, "--tag", "beta");
  await publish("@copied/pie", "1.0.0", { dependencies: { "copied-apple": "^1.0.0" } });
  await here.run(".", "deprecate", "copied-apple@1.0.0", "rotten");
  await run(repoName, "NPM");
  there.folder("user", { name: "user", version: "1.0.0" });
  await there.run("user", "install", "@copied/pie", "beta@npm:copied-apple@beta");
  const installed = (name: string) =>
    readFileSync(join(there.home, "user", "node_modules", name, "index.js"), "utf8");
  expect(installed("@copied/pie")).toContain("@copied/pie@1.0.0");
  expect(installed("copied-apple")).toContain("copied-apple@1.1.0");
  expect(installed("beta")).toContain("copied-apple@2.0.0-beta.1");
  expect(
    JSON.parse(
      await there.run(".", "view", "copied-apple@1.0.0", "deprecated", "--json"),
    ),
  ).toEqual("rotten");
});
