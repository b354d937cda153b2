import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ADMIN } from "../../rigs/api/api-fixture.ts";
import { startNpm } from "../../rigs/api/npm-fixture.ts";
import { npmClient, type NpmClient } from "../../rigs/servers/npm-client.ts";

let api: Awaited<ReturnType<typeof startNpm>>;
let npm: NpmClient;
beforeEach(async () => {
  api = await startNpm();
  npm = npmClient(api.registry, ADMIN);
});
afterEach(async () => {
  npm.remove();
  await api.close();
});

const LONG = 120_000;

/** Publishes a version with the real npm command. */
function publish(
  name: string,
  version: string,
  { manifest = {}, args = [] }: { manifest?: object; args?: string[] } = {},
): Promise<string> {
  const folder = npm.folder(
    `src-${name.replace("/", "-")}-${version}`,
    {
      name,
      version,
      description: `${name} for tests`,
      keywords: ["fruit"],
      main: "index.js",
      ...manifest,
    },
    {
      "index.js": `module.exports = "${name}@${version}";\n`,
      "README.md": `# ${name}\n`,
    },
  );
  return npm.run(folder, "publish", ...args);
}

const view = async (what: string, ...fields: string[]): Promise<unknown> => {
  const said = await npm.run(".", "view", what, ...fields, "--json");
  return said === "" ? null : JSON.parse(said);
};

/** Returns the versions that npm shows. npm 10 prints a list with one member as that member: flat() undoes this. */
const versions = async (what: string): Promise<unknown> =>
  [await view(what, "versions")].flat();

test(
  "npm publishes, shows and installs packages, with and without scope, with dependencies",
  { timeout: LONG },
  async () => {
    await publish("pear", "1.0.0");
    await publish("pear", "1.1.0");
    await publish("@orchard/apple", "2.0.0", {
      manifest: { dependencies: { pear: "^1.0.0" } },
    });
    expect(await view("@orchard/apple")).toMatchObject({
      name: "@orchard/apple",
      version: "2.0.0",
      description: "@orchard/apple for tests",
      dist: { tarball: `${api.registry}/@orchard/apple/-/apple-2.0.0.tgz` },
    });
    expect(await versions("pear")).toEqual(["1.0.0", "1.1.0"]);
    expect(await view("pear", "readme")).toContain("# pear");

    const app = npm.folder("app", { name: "app", version: "1.0.0" });
    await npm.run(app, "install", "@orchard/apple");
    const installed = (name: string) =>
      readFileSync(join(npm.home, app, "node_modules", name, "index.js"), "utf8");
    expect([installed("@orchard/apple"), installed("pear")]).toEqual([
      'module.exports = "@orchard/apple@2.0.0";\n',
      'module.exports = "pear@1.1.0";\n',
    ]);
    await npm.run(app, "install", "pear@1.0.0");
    expect(installed("pear")).toContain("pear@1.0.0");
    // npm ci installs from the lock file with an empty cache, and checks the integrity.
    await npm.run(app, "ci", "--cache", join(npm.home, "other-cache"));
    expect(installed("pear")).toContain("pear@1.0.0");
  },
);

test("npm cannot publish a version twice", { timeout: LONG }, async () => {
  await publish("pear", "1.0.0");
  await expect(publish("pear", "1.0.0")).rejects.toThrow(/previously published version/);
  expect(await versions("pear")).toEqual(["1.0.0"]);
});

test("npm sets, shows, moves and removes dist-tags", { timeout: LONG }, async () => {
  await publish("pear", "1.0.0");
  await publish("pear", "2.0.0-rc.1", { args: ["--tag", "next"] });
  expect(await view("pear", "dist-tags")).toEqual({
    latest: "1.0.0",
    next: "2.0.0-rc.1",
  });
  await npm.run(".", "dist-tag", "add", "pear@1.0.0", "stable");
  expect(
    (await npm.run(".", "dist-tag", "ls", "pear")).trim().split("\n").sort(),
  ).toEqual(["latest: 1.0.0", "next: 2.0.0-rc.1", "stable: 1.0.0"]);
  await npm.run(".", "dist-tag", "add", "pear@2.0.0-rc.1", "latest");
  expect(await view("pear", "version")).toBe("2.0.0-rc.1");
  await npm.run(".", "dist-tag", "rm", "pear", "stable");
  expect(await view("pear", "dist-tags")).toEqual({
    latest: "2.0.0-rc.1",
    next: "2.0.0-rc.1",
  });
  await expect(npm.run(".", "dist-tag", "rm", "pear", "latest")).rejects.toThrow(
    /latest cannot be removed/,
  );
});

test(
  "npm deprecates a version, shows it as deprecated, and undoes the deprecation",
  { timeout: LONG },
  async () => {
    await publish("@orchard/pear", "1.0.0");
    await publish("@orchard/pear", "1.1.0");
    await npm.run(".", "deprecate", "@orchard/pear@1.0.0", "it is rotten");
    expect(await view("@orchard/pear@1.0.0", "deprecated")).toBe("it is rotten");
    expect(await view("@orchard/pear@1.1.0", "deprecated")).toBeNull();
    await npm.run(".", "deprecate", "@orchard/pear@1.0.0", "");
    expect(await view("@orchard/pear@1.0.0", "deprecated")).toBeNull();
  },
);

test(
  "npm unpublishes one version, then the whole package, and nothing of it is left",
  { timeout: LONG },
  async () => {
    for (const version of ["1.0.0", "1.1.0", "1.2.0"])
      await publish("@orchard/pear", version);
    await npm.run(".", "dist-tag", "add", "@orchard/pear@1.2.0", "ripe");
    await npm.run(".", "unpublish", "@orchard/pear@1.2.0");
    expect(await view("@orchard/pear", "versions", "dist-tags")).toEqual({
      versions: ["1.0.0", "1.1.0"],
      "dist-tags": { latest: "1.1.0" },
    });
    expect((await api.npm("GET", "/@orchard/pear/-/pear-1.2.0.tgz")).status).toBe(404);
    await npm.run(".", "unpublish", "@orchard/pear", "--force");
    await expect(view("@orchard/pear")).rejects.toThrow(/E404/);
    expect(api.db.$client.prepare("SELECT count(*) FROM node").pluck().get()).toBe(0);
    await publish("@orchard/pear", "1.0.0");
    expect(await versions("@orchard/pear")).toEqual(["1.0.0"]);
  },
);

test(
  "npm search finds packages by name, description and keyword, and npm ping and whoami work",
  { timeout: LONG },
  async () => {
    await publish("pear", "1.0.0");
    await publish("@orchard/apple", "1.0.0", {
      manifest: { description: "keeps the doctor away", keywords: ["health"] },
    });
    const found = async (...words: string[]) =>
      (
        JSON.parse(await npm.run(".", "search", ...words, "--json")) as { name: string }[]
      ).map(({ name }) => name);
    expect(await found("pear")).toEqual(["pear"]);
    expect(await found("doctor", "apple")).toEqual(["@orchard/apple"]);
    expect(await found("fruit")).toEqual(["pear"]);
    expect(await found("cherry")).toEqual([]);
    expect(JSON.parse(await npm.run(".", "ping", "--json"))).toMatchObject({
      registry: `${api.registry}/`,
    });
    expect((await npm.run(".", "whoami")).trim()).toBe("admin");
  },
);

test(
  "unsupported npm commands fail with a reason, and npm install works without an audit",
  { timeout: LONG },
  async () => {
    await publish("pear", "1.0.0");
    await expect(npm.run(".", "owner", "add", "joe", "pear")).rejects.toThrow(
      /there are no users, owners/,
    );
    await expect(npm.run(".", "star", "pear")).rejects.toThrow(
      /owners and stars of packages are not kept here/,
    );
    const app = npm.folder("app", { name: "app", version: "1.0.0" });
    await npm.run(app, "install", "pear");
    expect(existsSync(join(npm.home, app, "node_modules", "pear"))).toBe(true);
  },
);
