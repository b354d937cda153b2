import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ADMIN } from "../../rigs/api/api-fixture.ts";
import { random, sha256 } from "../../rigs/api/content-fixture.ts";
import { elements, type MavenServer, startMaven } from "../../rigs/api/maven-fixture.ts";
import { unique } from "../../rigs/runs/run-fixture.ts";
import { type Mvn, mvnClient } from "../../rigs/servers/mvn.ts";

const GROUP = "org.example.judged.here";
const FOLDER = "/org/example/judged/here";

let server: MavenServer;
let mvn: Mvn;
beforeAll(async () => {
  server = await startMaven({ maxUpload: 30_000_000 });
  mvn = await mvnClient({ url: `${server.url}${server.base}`, ...ADMIN, group: GROUP });
});
beforeEach((context) => {
  if (mvn === null) context.skip("mvn or its plugins are not available");
});
afterAll(async () => {
  mvn?.close();
  await server.close();
});

const client = () => mvn ?? expect.fail("no mvn");

test("mvn deploys releases and resolves them by version, by range and as the newest", async () => {
  const { deploy, file, resolve } = client();
  const app = unique("app-");
  const contents = { "1.9": random(300_000), "1.10": random(300_000) };
  for (const [version, bytes] of Object.entries(contents))
    await deploy({ artifactId: app, version, file: file("app.jar", bytes) });
  const deployed = server
    .versions()
    .filter((each) => each.startsWith(`${GROUP}:${app} `));
  expect(deployed).toEqual([
    `${GROUP}:${app} 1.10 complete`,
    `${GROUP}:${app} 1.9 complete`,
  ]);
  for (const [asked, version] of [
    ["1.9", "1.9"],
    ["RELEASE", "1.10"],
    ["LATEST", "1.10"],
    ["[1.0,1.10)", "1.9"],
  ] as const) {
    const folder = join(await resolve(`${app}:${asked}`), app);
    expect([
      asked,
      sha256(readFileSync(join(folder, version, `${app}-${version}.jar`))),
    ]).toEqual([asked, sha256(contents[version])]);
    expect(
      readFileSync(join(folder, version, `${app}-${version}.pom`), "utf8"),
    ).toContain(`<version>${version}</version>`);
  }
});

test("mvn cannot change a release, but can deploy the same content again", async () => {
  const { deploy, file } = client();
  const first = file("first.jar", "content");
  const pomFile = file(
    "first.pom",
    `<project><modelVersion>4.0.0</modelVersion><groupId>${GROUP}</groupId>` +
      "<artifactId>fixed</artifactId><version>1.0</version></project>",
  );
  await deploy({ artifactId: "fixed", version: "1.0", file: first, pomFile });
  await deploy({ artifactId: "fixed", version: "1.0", file: first, pomFile });
  const big = file("other.jar", random(20_000_000));
  await expect(
    deploy({ artifactId: "fixed", version: "1.0", file: big, pomFile }),
  ).rejects.toThrow(/409/);
  expect(await server.text(`${FOLDER}/fixed/1.0/fixed-1.0.jar`)).toBe("content");
});

test("mvn shows its user why a deployment is refused", async () => {
  const { deploy, file } = client();
  const url = `${server.url}${server.base}`;
  const small = file("small.jar", "content");
  const app = { artifactId: "refused", version: "1.0", file: small };
  await deploy(app);
  const guesser = await mvnClient({
    ...ADMIN,
    url,
    password: "a guess",
    group: `${GROUP}.guesser`,
  });
  await expect(deploy({ ...app, file: file("other.jar", "other") })).rejects.toThrow(
    /409 .*already exists: a released file must not change/,
  );
  const big = file("big.jar", random(31_000_000));
  await expect(deploy({ ...app, version: "2.0", file: big })).rejects.toThrow(
    /413 .*a file may have at most 30000000 bytes/,
  );
  await expect(guesser?.deploy(app)).rejects.toThrow(/401 .*password is wrong/);
  // Maven words a 404 itself, with the address of the repository.
  const nowhere = `${server.url}/maven/demo/none`;
  await expect(deploy({ ...app, url: nowhere })).rejects.toThrow(
    /Could not find artifact .*demo\/none/,
  );
  guesser?.close();
});

test("mvn deploys snapshots, and resolves the newest build with its classifiers", async () => {
  const { deploy, file, resolve } = client();
  const snap = unique("snap-");
  for (const content of ["one", "two"]) {
    await deploy({
      artifactId: snap,
      version: "1.0-SNAPSHOT",
      file: file("snap.jar", content),
      sources: file("sources.jar", `sources ${content}`),
    });
  }
  const xml = await server.text(`${FOLDER}/${snap}/1.0-SNAPSHOT/maven-metadata.xml`);
  expect([
    elements(xml, "buildNumber"),
    elements(xml, "classifier"),
    elements(xml, "extension"),
  ]).toEqual([["2"], ["sources"], ["jar", "pom", "jar"]]);
  const read = async (coordinates: string, name: RegExp) => {
    const folder = join(await resolve(coordinates), snap, "1.0-SNAPSHOT");
    return readFileSync(
      join(folder, readdirSync(folder).find((each) => name.test(each)) ?? "none"),
      "utf8",
    );
  };
  expect(await read(`${snap}:1.0-SNAPSHOT`, /\d-2\.jar$/)).toBe("two");
  expect(await read(`${snap}:1.0-SNAPSHOT:jar:sources`, /\d-2-sources\.jar$/)).toBe(
    "sources two",
  );
  expect(server.versions()).toContain(`${GROUP}:${snap} 1.0-SNAPSHOT complete`);
});

test("four mvn processes that deploy versions of one artifact at once leave correct metadata", async () => {
  const { deploy, file } = client();
  const versions = ["1.0", "1.1", "1.2", "1.10"];
  await Promise.all(
    versions.map((version) =>
      deploy({
        artifactId: "crowd",
        version,
        file: file(`crowd-${version}.jar`, version),
      }),
    ),
  );
  const xml = await server.text(`${FOLDER}/crowd/maven-metadata.xml`);
  expect([elements(xml, "version"), elements(xml, "release")]).toEqual([
    versions,
    ["1.10"],
  ]);
});

test("mvn deploys a project to the repository of its distributionManagement", async () => {
  const repository = `<id>hosted</id><url>${server.url}${server.base}</url>`;
  const project = `<project><modelVersion>4.0.0</modelVersion>
    <groupId>${GROUP}</groupId><artifactId>parent</artifactId><version>3-SNAPSHOT</version><packaging>pom</packaging>
    <distributionManagement>
      <repository>${repository}</repository><snapshotRepository>${repository}</snapshotRepository>
    </distributionManagement></project>`;
  await client().build("deploy", { "pom.xml": project });
  expect(server.versions()).toContain(`${GROUP}:parent 3-SNAPSHOT complete`);
  expect(
    elements(await server.text(`${FOLDER}/parent/maven-metadata.xml`), "latest"),
  ).toEqual(["3-SNAPSHOT"]);
});
