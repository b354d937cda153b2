import { afterEach, beforeEach, expect, test } from "vitest";
import { type NpmAnswer, startNpm } from "../../rigs/api/npm-fixture.ts";
import { pathOf, publication } from "../../rigs/servers/npm-publication.ts";
import { random } from "../../rigs/api/content-fixture.ts";

let api: Awaited<ReturnType<typeof startNpm>>;
beforeEach(async () => {
  api = await startNpm();
});
afterEach(() => api.close());

const ABBREVIATED = "application/vnd.npm.install-v1+json";
const put = async (
  name: string,
  version: string,
  tarball = random(2_000),
  more: Parameters<typeof publication>[3] = {},
): Promise<NpmAnswer> =>
  api.npm("PUT", pathOf(name), { body: publication(name, version, tarball, more) });
const versionsIn = (document: Record<string, unknown>) =>
  document["versions"] as Record<string, Record<string, unknown>>;
const deprecate = (document: Record<string, unknown>, version: string, message: string) =>
  Object.assign(versionsIn(document)[version] ?? {}, { deprecated: message });
const packument = async (name: string, headers: Record<string, string> = {}) =>
  (await api.npm("GET", pathOf(name), { headers })).json;

test("a packument has versions, tags, times, the readme of latest, and tarball URLs of this instance", async () => {
  await put("pear", "1.0.0", random(100), {
    document: { readme: "old", description: "a fruit", scripts: { postinstall: "x" } },
  });
  await put("pear", "2.0.0", random(100), {
    document: { description: "the fruit", keywords: ["a"] },
    root: { readme: "new" },
  });
  expect(await packument("pear")).toMatchObject({
    _id: "pear",
    _rev: expect.any(String),
    name: "pear",
    description: "the fruit",
    readme: "new",
    keywords: ["a"],
    "dist-tags": { latest: "2.0.0" },
    time: {
      created: expect.any(String),
      modified: expect.any(String),
      "1.0.0": expect.any(String),
      "2.0.0": expect.any(String),
    },
    versions: {
      "1.0.0": {
        _id: "pear@1.0.0",
        description: "a fruit",
        scripts: { postinstall: "x" },
        dist: { tarball: `${api.registry}/pear/-/pear-1.0.0.tgz` },
      },
      "2.0.0": {
        dist: {
          tarball: `${api.registry}/pear/-/pear-2.0.0.tgz`,
          integrity: expect.stringMatching(/^sha512-/),
          shasum: expect.any(String),
        },
      },
    },
  });
  expect((await api.npm("GET", "/pear/1.0.0")).json).toMatchObject({
    version: "1.0.0",
    readme: "old",
    dist: { tarball: `${api.registry}/pear/-/pear-1.0.0.tgz` },
  });
  expect((await api.npm("GET", "/pear/latest")).json).toMatchObject({
    version: "2.0.0",
    readme: "new",
  });
  expect((await api.npm("GET", "/pear/3.0.0")).json).toEqual({
    error: "pear has no version or dist-tag 3.0.0",
    reason: "not_found",
  });
});

test("the abbreviated packument has only the fields that an installation needs", async () => {
  const document = {
    dependencies: { a: "1" },
    bin: { x: "y" },
    engines: { node: ">=20" },
    os: ["linux"],
    peerDependenciesMeta: { a: { optional: true } },
    scripts: { install: "x" },
    description: "left out",
    readme: "left out",
  };
  await put("pear", "1.0.0", random(10), { document });
  const { headers, json } = await api.npm("GET", "/pear", {
    headers: { accept: `${ABBREVIATED}; q=1.0, application/json; q=0.8, */*` },
  });
  expect(headers["content-type"]).toBe(ABBREVIATED);
  const { description: _d, readme: _r, scripts: _s, ...kept } = document;
  expect(json).toEqual({
    name: "pear",
    modified: expect.any(String),
    "dist-tags": { latest: "1.0.0" },
    versions: {
      "1.0.0": {
        name: "pear",
        version: "1.0.0",
        ...kept,
        hasInstallScript: true,
        dist: expect.any(Object),
      },
    },
  });
  expect(
    (await packument("pear", { accept: `application/json, ${ABBREVIATED};q=0.5` }))[
      "_rev"
    ],
  ).toBeDefined();
});

test("an unchanged packument is answered with 304, and each change gives it another ETag", async () => {
  await put("pear", "1.0.0");
  const tagOf = async () => (await api.npm("GET", "/pear")).headers["etag"] as string;
  const tag = await tagOf();
  const again = await api.npm("GET", "/pear", { headers: { "if-none-match": tag } });
  expect([again.status, again.body.length, again.headers["etag"]]).toEqual([304, 0, tag]);
  expect(
    (
      await api.npm("GET", "/pear", {
        headers: { "if-none-match": tag, accept: ABBREVIATED },
      })
    ).status,
  ).toBe(200);
  const tags = [tag];
  await put("pear", "1.1.0");
  tags.push(await tagOf());
  await api.npm("PUT", "/-/package/pear/dist-tags/old", { body: "1.0.0" });
  tags.push(await tagOf());
  const document = await packument("pear");
  deprecate(document, "1.0.0", "old");
  expect((await api.npm("PUT", "/pear", { body: document })).status).toBe(200);
  tags.push(await tagOf());
  // The same request once more, without _rev, changes nothing.
  const { _rev, ...unrevised } = document;
  expect((await api.npm("PUT", "/pear", { body: unrevised })).status).toBe(200);
  tags.push(await tagOf());
  expect([new Set(tags).size, tags.length]).toEqual([4, 5]);
});

test("tarball addresses in packuments begin with PUBLIC_URL, or with the Host header without it", async () => {
  await put("@s/pear", "1.0.0");
  const tarballOf = (document: Record<string, unknown>) =>
    (versionsIn(document)["1.0.0"]?.["dist"] as { tarball: string } | undefined)?.tarball;
  expect(tarballOf(await packument("@s/pear", { host: "registry.internal:4000" }))).toBe(
    "http://registry.internal:4000/npm/demo/packages/@s/pear/-/pear-1.0.0.tgz",
  );
  const other = await startNpm({ publicUrl: "https://packages.example/base/" });
  await other.npm("PUT", "/@s%2fpear", {
    body: publication("@s/pear", "1.0.0", random(10)),
  });
  expect(tarballOf((await other.npm("GET", "/@s/pear")).json)).toBe(
    "https://packages.example/base/npm/demo/packages/@s/pear/-/pear-1.0.0.tgz",
  );
  await other.close();
});

test("a tarball can be read whole, in part or with HEAD, under both spellings of its scope", async () => {
  const tarball = random(300_000);
  await put("@s/pear", "1.0.0", tarball);
  const path = "/@s/pear/-/pear-1.0.0.tgz";
  const whole = await api.npm("GET", path);
  expect([
    whole.status,
    whole.headers["content-length"],
    whole.body.equals(tarball),
  ]).toEqual([200, "300000", true]);
  expect((await api.npm("GET", "/@s%2fpear/-/pear-1.0.0.tgz")).body.equals(tarball)).toBe(
    true,
  );
  const part = await api.npm("GET", path, { headers: { range: "bytes=1000-1999" } });
  expect([part.status, part.body.equals(tarball.subarray(1000, 2000))]).toEqual([
    206,
    true,
  ]);
  const head = await api.npm("HEAD", path);
  expect([head.status, head.headers["content-length"], head.body.length]).toEqual([
    200,
    "300000",
    0,
  ]);
  expect(
    (
      await api.npm("GET", path, {
        headers: { "if-none-match": whole.headers["etag"] as string },
      })
    ).status,
  ).toBe(304);
  expect(
    (await api.npm("GET", path, { headers: { range: "bytes=300000-" } })).json,
  ).toMatchObject({
    error: expect.stringContaining("300000 bytes"),
    reason: "range_not_satisfiable",
  });
});

test("the latest version is that of the dist-tag, or the highest release, or the highest version", async () => {
  const latest = async () =>
    (await api.npm("GET", "/-/package/pear/dist-tags")).json["latest"];
  await put("pear", "2.0.0-rc.1", random(10), { tag: "next" });
  expect(await latest()).toBe("2.0.0-rc.1");
  await put("pear", "1.10.0", random(10), { tag: "stable" });
  await put("pear", "1.9.0", random(10), { tag: "stable" });
  expect([
    await latest(),
    (await api.npm("GET", "/pear/latest")).json["version"],
  ]).toEqual(["1.10.0", "1.10.0"]);
  await put("pear", "1.2.0");
  expect(await latest()).toBe("1.2.0");
});

test("a package of 3,000 versions can be read, deprecated and deleted, and its read times are printed", async () => {
  await put("pear", "0.0.0", random(10), {
    document: {
      readme: "r".repeat(500),
      dependencies: Object.fromEntries(
        Array.from({ length: 30 }, (_, i) => [`dependency-${i}`, "^1.0.0"]),
      ),
    },
  });
  api.db.$client
    .exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
    INSERT INTO version (package_id, name, digest, size, complete, document,
      created_by, created_date, last_modified_by, last_modified_date)
    SELECT package_id, '0.0.' || i, digest, size, complete, json_set(document, '$.version', '0.0.' || i),
      created_by, created_date, last_modified_by, last_modified_date
    FROM version, n`);
  const start = performance.now();
  const first = await api.npm("GET", "/pear", { headers: { accept: ABBREVIATED } });
  const made = performance.now();
  const second = await api.npm("GET", "/pear", { headers: { accept: ABBREVIATED } });
  const end = performance.now();
  expect(Object.keys(versionsIn(first.json))).toHaveLength(3000);
  expect(second.body.equals(first.body)).toBe(true);
  console.log(
    `an abbreviated packument of 3,000 versions (${first.body.length} bytes): ` +
      `first ${Math.round(made - start)} ms, then ${Math.round(end - made)} ms`,
  );
  const document = await packument("pear");
  for (const version of Object.keys(versionsIn(document)))
    deprecate(document, version, "all of them");
  expect((await api.npm("PUT", "/pear", { body: document })).status).toBe(200);
  expect((await api.npm("GET", "/pear/0.0.2999")).json["deprecated"]).toBe("all of them");
  const rev = (await packument("pear"))["_rev"] as string;
  expect((await api.npm("DELETE", `/pear/-rev/${rev}`)).status).toBe(200);
  expect((await api.npm("GET", "/pear")).status).toBe(404);
});

test("a packument of more than 8 MiB is sent in pieces, the abbreviated one of the package as a whole", async () => {
  await put("pear", "0.0.0", random(10), { document: { readme: "the readme" } });
  const small = await api.npm("GET", "/pear");
  expect(small.headers["content-length"]).toBe(String(small.body.length));
  api.db.$client
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
    INSERT INTO version (package_id, name, digest, size, complete, document,
      created_by, created_date, last_modified_by, last_modified_date)
    SELECT package_id, '0.0.' || i, digest, size, complete,
      json_set(document, '$.version', '0.0.' || i, '$.description', i || ?),
      created_by, created_date, last_modified_by, last_modified_date
    FROM version, n`,
    )
    .run("é".repeat(300_000));
  api.db.$client.exec("UPDATE package SET last_modified_date = last_modified_date + 1");
  const full = await api.npm("GET", "/pear");
  expect([full.status, full.headers["content-length"]]).toEqual([200, undefined]);
  expect(full.body.length).toBeGreaterThan(8 * 1024 * 1024);
  expect(Object.keys(full.json)).toEqual(Object.keys(small.json));
  expect(full.json).toMatchObject({
    readme: "the readme",
    "dist-tags": { latest: "0.0.0" },
  });
  const versions = versionsIn(full.json);
  expect(Object.keys(versions)).toEqual(Array.from({ length: 21 }, (_, i) => `0.0.${i}`));
  for (const [version, document] of Object.entries(versions)) {
    const { readme: _, ...rest } = (await api.npm("GET", `/pear/${version}`)).json;
    expect(document).toEqual(rest);
  }
  const etag = full.headers["etag"] as string;
  const known = await api.npm("GET", "/pear", { headers: { "if-none-match": etag } });
  expect([etag, known.status]).toEqual([expect.stringContaining("-full"), 304]);
  expect((await api.npm("GET", "/pear")).body.equals(full.body)).toBe(true);
  const head = await api.npm("HEAD", "/pear");
  expect([head.status, head.headers["etag"], head.body.length]).toEqual([200, etag, 0]);
  const short = await api.npm("GET", "/pear", { headers: { accept: ABBREVIATED } });
  expect(short.headers["content-length"]).toBe(String(short.body.length));
  expect(Object.keys(versionsIn(short.json))).toEqual(Object.keys(versions));
});

test("an npm search has pages, and finds only packages of its own repository", async () => {
  await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name: "others", type: "NPM" },
  });
  for (const name of ["pear-a", "pear-b", "pear-c", "apple"])
    await put(name, "1.0.0", random(10));
  const search = async (query: string, base = api.base) =>
    (await api.call("GET", `${base}/-/v1/search?${query}`)).text;
  const found = async (query: string) =>
    JSON.parse(await search(query)) as {
      total: number;
      objects: { package: { name: string; version: string } }[];
    };
  const { total, objects } = await found("text=pear&size=1&from=1");
  expect([total, objects.map((each) => each.package.name)]).toEqual([3, ["pear-b"]]);
  expect((await found("text=")).total).toBe(4);
  expect((await found("text=pear&size=0")).objects).toEqual([]);
  expect(JSON.parse(await search("text=pear", "/npm/demo/others"))).toMatchObject({
    total: 0,
    objects: [],
  });
});

test("an npm search finds packages by long texts, looks at few at once, and cuts what it says of them", async () => {
  const long = "very long words ".repeat(60_000);
  for (const name of ["pear-a", "pear-b", "pear-c"])
    await put(name, "1.0.0", random(10), {
      document: { description: `${long}${name}`, keywords: [long], license: "MIT" },
    });
  const answer = await api.npm("GET", "/-/v1/search?text=pear-b");
  expect(answer.json).toMatchObject({
    total: 1,
    objects: [{ package: { name: "pear-b" } }],
  });
  const { package: found } = (answer.json["objects"] as { package: object }[])[0] ?? {};
  expect(found).toMatchObject({ description: long.slice(0, 10_000), license: "MIT" });
  expect(found).not.toHaveProperty("keywords");
  const all = (await api.npm("GET", "/-/v1/search?text=words&from=1")).json;
  expect(all).toMatchObject({
    total: 3,
    objects: [{ package: { name: "pear-b" } }, { package: { name: "pear-c" } }],
  });
});

test("a write of a packument is refused if another client has changed it since it was read", async () => {
  await put("pear", "1.0.0");
  await put("pear", "1.1.0");
  const old = await packument("pear");
  await put("pear", "1.2.0");
  const { "1.0.0": _gone, ...left } = old["versions"] as Record<string, unknown>;
  const conflict = {
    error: expect.stringContaining("was changed meanwhile"),
    reason: "conflict",
  };
  const answers = [
    await api.npm("PUT", "/pear", { body: old }),
    await api.npm("PUT", `/pear/-rev/${String(old["_rev"])}`, {
      body: { ...old, versions: left },
    }),
    await api.npm("DELETE", `/pear/-rev/${String(old["_rev"])}`),
  ];
  expect(answers.map(({ status, json }) => [status, json])).toEqual(
    answers.map(() => [409, conflict]),
  );
  expect(Object.keys(versionsIn(await packument("pear")))).toEqual([
    "1.0.0",
    "1.1.0",
    "1.2.0",
  ]);
  expect((await api.npm("DELETE", "/pear/-/pear-1.0.0.tgz/-rev/x")).json).toMatchObject({
    error: expect.stringContaining("unpublish that version first"),
  });
});

test("publishing, moving a dist-tag and deprecating each write an event of the version", async () => {
  await put("pear", "1.0.0");
  await put("pear", "1.1.0");
  await api.npm("PUT", "/-/package/pear/dist-tags/old", { body: "1.0.0" });
  await api.npm("PUT", "/-/package/pear/dist-tags/old", { body: "1.0.0" });
  const document = await packument("pear");
  deprecate(document, "1.1.0", "x");
  await api.npm("PUT", "/pear", { body: document });
  const events = api.db.$client
    .prepare(
      "SELECT kind || ' ' || subject || ' ' || coalesce(version, '') FROM event ORDER BY seq",
    )
    .pluck()
    .all();
  expect(events).toEqual(
    ["1.0.0", "1.1.0", "1.0.0", "1.1.0"].map(
      (version) => `version npm://pear ${version}`,
    ),
  );
});
