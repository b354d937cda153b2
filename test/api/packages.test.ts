import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  PackageInfo as PackageShape,
  VersionInfo as VersionShape,
} from "../../api/packages/shapes.ts";
import type { z } from "zod";
import { createFiller, mavenPath } from "../rigs/api/packages-fixture.ts";
import { LOGIN, startApi } from "../rigs/api/socket-fixture.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { makeImage, makeSignature } from "../rigs/servers/images.ts";

type Package = z.output<typeof PackageShape>;
type Version = z.output<typeof VersionShape>;
type Page<T> = {
  totalRecords: number;
  pageNumber: number;
  pageSize: number;
  totalPages: number;
  records: T[];
};

let api: Awaited<ReturnType<typeof startApi>>;
let fill: ReturnType<typeof createFiller>;
beforeAll(async () => {
  api = await startApi();
  fill = createFiller({ url: api.url, authorization: LOGIN });
});
afterAll(() => api.close());

/** Creates a repository whose name begins with `prefix`. */
async function repository(
  prefix: string,
  type: string,
  more: object = {},
): Promise<string> {
  const name = unique(`${prefix}-`);
  const answer = await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name, type, ...more },
  });
  expect(answer.code).toBe(0);
  return `demo/${name}`;
}

const query = (values: Record<string, string>) => new URLSearchParams(values).toString();
const ask = async <T>(path: string, values: Record<string, string> = {}) => {
  const answer = await api.call("GET", `/repository/api/${path}?${query(values)}`);
  expect([answer.code, answer.message]).toEqual([0, null]);
  return answer.data as T;
};
const packages = (repo: string, values: Record<string, string> = {}) =>
  ask<Page<Package>>(`package/page/${repo}`, values);
const info = (repo: string, packageKey: string) =>
  ask<Package>(`package/info/${repo}`, { packageKey });
const versions = (
  repo: string,
  packageKey: string,
  values: Record<string, string> = {},
) => ask<Page<Version>>(`version/page/${repo}`, { packageKey, ...values });
const remove = (
  what: "package" | "version",
  repo: string,
  values: Record<string, string>,
) => api.call("DELETE", `/repository/api/${what}/delete/${repo}?${query(values)}`);
const native = (path: string) =>
  fetch(api.url + path, { headers: { authorization: LOGIN } });
const sizes = (repo: string) => {
  const [, name = ""] = repo.split("/");
  const of = (rows: ReturnType<typeof sql>) =>
    api.db.get<{ n: number }>(
      sql`SELECT count(*) AS n FROM ${rows} WHERE repository_id = (SELECT id FROM repository WHERE name = ${name})`,
    ).n;
  return [
    of(sql`package`),
    of(sql`(SELECT repository_id FROM version JOIN package ON package.id = package_id)`),
    of(sql`image_manifest`),
    of(sql`node`),
  ];
};

describe("packages of a MAVEN repository", () => {
  test("packages of a MAVEN repository follow from its paths, their latest version from Maven's order", async () => {
    const repo = await repository("maven", "MAVEN");
    for (const version of ["1.10", "1.9", "2.0-alpha-1", "1.9-SNAPSHOT"])
      await fill.deploy(repo, "com.acme:lib", version);
    await fill.deploy(repo, "com.acme:other", "1");
    await fill.file(repo, "/notes.txt", "outside the layout");
    const { records, ...page } = await packages(repo, { packageName: "com.acme:l" });
    expect(page).toMatchObject({
      totalRecords: 1,
      pageNumber: 1,
      pageSize: 20,
      totalPages: 1,
    });
    expect(records).toEqual([
      {
        projectId: "demo",
        repoName: repo.split("/")[1],
        name: "com.acme:lib",
        key: "gav://com.acme:lib",
        type: "MAVEN",
        latest: "2.0-alpha-1",
        downloads: 0,
        versions: 4,
        description: null,
        createdBy: "admin",
        createdDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}$/) as string,
        lastModifiedBy: "admin",
        lastModifiedDate: expect.stringMatching(/^\d{4}-/) as string,
        versionTag: {},
        extension: {},
        historyVersion: ["1.10", "1.9", "2.0-alpha-1", "1.9-SNAPSHOT"],
      },
    ]);
    expect(await info(repo, "gav://com.acme:lib")).toEqual(records[0]);
    const all = await versions(repo, "gav://com.acme:lib");
    expect(all.records.map(({ name }) => name)).toEqual([
      "1.9-SNAPSHOT",
      "2.0-alpha-1",
      "1.9",
      "1.10",
    ]);
    expect(all.records[3]).toMatchObject({
      size: expect.any(Number) as number,
      downloads: 0,
      stageTag: [],
      metadata: {},
      tags: [],
      extension: {},
      contentPath: mavenPath("com.acme:lib", "1.10", ".jar"),
      manifestPath: null,
    });
    const some = await versions(repo, "gav://com.acme:lib", {
      version: "1.9",
      pageSize: "1",
      pageNumber: "2",
    });
    expect([some.totalRecords, some.records.map(({ name }) => name)]).toEqual([
      2,
      ["1.9"],
    ]);
  });

  test("the latest version of a Maven package stays a complete one while files of a newer one arrive", async () => {
    const repo = await repository("maven-coming", "MAVEN");
    await fill.deploy(repo, "com.acme:lib", "1.0");
    await fill.file(repo, mavenPath("com.acme:lib", "2.0", ".jar"), "jar");
    expect(await info(repo, "gav://com.acme:lib")).toMatchObject({
      latest: "1.0",
      versions: 2,
    });
    await fill.file(repo, mavenPath("com.acme:lib", "2.0", ".pom"), "<project/>");
    expect(await info(repo, "gav://com.acme:lib")).toMatchObject({ latest: "2.0" });
  });

  test("deleted versions and packages of a MAVEN repository disappear for Maven at once", async () => {
    const repo = await repository("maven-deleted", "MAVEN");
    for (const version of ["1", "2"]) await fill.deploy(repo, "com.acme:lib", version);
    expect(
      (await remove("version", repo, { packageKey: "gav://com.acme:lib", version: "2" }))
        .code,
    ).toBe(0);
    const metadata = await (
      await native(`/maven/${repo}/com/acme/lib/maven-metadata.xml`)
    ).text();
    expect(metadata).toContain("<release>1</release>");
    expect(metadata).not.toContain("<version>2</version>");
    expect(
      (await native(`/maven/${repo}${mavenPath("com.acme:lib", "2", ".jar")}`)).status,
    ).toBe(404);
    expect(
      (await remove("package", repo, { packageKey: "gav://com.acme:lib" })).code,
    ).toBe(0);
    expect((await native(`/maven/${repo}/com/acme/lib/maven-metadata.xml`)).status).toBe(
      404,
    );
    expect(sizes(repo)).toEqual([0, 0, 0, 0]);
  });
});

describe("packages of an NPM repository", () => {
  test("packages of an NPM repository have npm's dist-tags, and the tag latest is their latest version", async () => {
    const repo = await repository("npm", "NPM");
    await fill.publish(repo, "@acme/tool", "1.0.0", {
      document: { description: "A tool" },
    });
    await fill.publish(repo, "@acme/tool", "2.0.0-rc.1", {
      tag: "next",
      document: { description: "Another tool" },
    });
    expect(await info(repo, "npm://@acme/tool")).toMatchObject({
      name: "@acme/tool",
      key: "npm://@acme/tool",
      type: "NPM",
      latest: "1.0.0",
      versions: 2,
      description: "A tool",
      versionTag: { latest: "1.0.0", next: "2.0.0-rc.1" },
    });
    const { records } = await versions(repo, "npm://@acme/tool");
    expect(
      records.map(({ name, tags, contentPath }) => ({ name, tags, contentPath })),
    ).toEqual([
      {
        name: "2.0.0-rc.1",
        tags: ["next"],
        contentPath: "/@acme/tool/-/tool-2.0.0-rc.1.tgz",
      },
      { name: "1.0.0", tags: ["latest"], contentPath: "/@acme/tool/-/tool-1.0.0.tgz" },
    ]);
  });

  test("deleted versions and packages of an NPM repository disappear for npm at once", async () => {
    const repo = await repository("npm-deleted", "NPM");
    for (const version of ["1.0.0", "1.1.0"]) await fill.publish(repo, "tool", version);
    expect(
      (await remove("version", repo, { packageKey: "npm://tool", version: "1.1.0" }))
        .code,
    ).toBe(0);
    expect(await (await native(`/npm/${repo}/tool`)).json()).toMatchObject({
      "dist-tags": { latest: "1.0.0" },
    });
    expect(
      (await remove("version", repo, { packageKey: "npm://tool", version: "1.0.0" }))
        .code,
    ).toBe(0);
    expect((await native(`/npm/${repo}/tool`)).status).toBe(404);
    expect(sizes(repo)).toEqual([0, 0, 0, 0]);
  });
});

describe("packages of an image repository", () => {
  test("packages of an image repository are its images, with one version per tag except attachments", async () => {
    const repo = await repository("images", "OCI");
    const image = await fill.push(repo, "team/app", "1.0");
    await fill.push(repo, "team/app", "latest", image);
    await fill.push(repo, "team/app", "0.9");
    await fill.push(
      repo,
      "team/app",
      `sha256-${image.digest.slice(7)}.sig`,
      makeSignature(),
    );
    const { records, totalRecords } = await packages(repo);
    expect([totalRecords, records[0]]).toMatchObject([
      1,
      {
        name: "team/app",
        key: "oci://team/app",
        latest: "0.9",
        versions: 3,
        historyVersion: ["1.0", "latest", "0.9"],
      },
    ]);
    expect((await info(repo, "docker://team/app")).key).toBe("oci://team/app");
    const size =
      image.bytes.length + image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const page = await versions(repo, "oci://team/app");
    expect(page.totalRecords).toBe(3);
    expect(page.records[2]).toMatchObject({
      name: "1.0",
      size,
      contentPath: null,
      manifestPath: `/team/app/manifests/sha256__${image.digest.slice(7)}`,
    });
  });

  test("deleted tags and images disappear for docker at once, except manifests that other tags need", async () => {
    const repo = await repository("images-deleted", "DOCKER");
    const image = await fill.push(repo, "app", "1", makeImage({ format: "docker" }));
    await fill.push(repo, "app", "2", image);
    expect(
      (await remove("version", repo, { packageKey: "docker://app", version: "1" })).code,
    ).toBe(0);
    const manifest = (reference: string) =>
      native(`/v2/${repo}/app/manifests/${reference}`);
    expect([
      (await manifest("1")).status,
      (await manifest("2")).status,
      (await manifest(image.digest)).status,
    ]).toEqual([404, 200, 200]);
    expect((await remove("package", repo, { packageKey: "docker://app" })).code).toBe(0);
    expect((await manifest(image.digest)).status).toBe(404);
    expect(sizes(repo)).toEqual([0, 0, 0, 0]);
  });
});

describe("refused requests for packages", () => {
  test("requests for missing packages, and requests that are invalid, get specific codes", async () => {
    const repo = await repository("none", "MAVEN");
    const linked = await repository("linked", "OCI", {
      category: "REMOTE",
      configuration: { type: "remote", url: "http://127.0.0.1:9" },
    });
    await fill.deploy(repo, "g:a", "1");
    const get = (path: string, values: Record<string, string> = {}) =>
      api.call("GET", `/repository/api/${path}?${query(values)}`);
    const answers = await Promise.all([
      get(`package/info/${repo}`, { packageKey: "gav://g:none" }),
      get(`version/page/${repo}`, { packageKey: "gav://g:none" }),
      remove("package", repo, { packageKey: "gav://g:none" }),
      remove("version", repo, { packageKey: "gav://g:none", version: "1" }),
      remove("version", repo, { packageKey: "gav://g:a", version: "2" }),
      remove("version", repo, { packageKey: "gav://g:a", version: "" }),
      remove("version", repo, { packageKey: "gav://g:a" }),
      get(`package/info/${repo}`),
      get(`package/info/${repo}`, { packageKey: "npm://a" }),
      get("package/page/demo/nowhere"),
      get("package/page/nowhere/files"),
      get(`package/page/${linked}`),
    ]);
    expect(answers.map(({ code, status }) => [code, status])).toEqual([
      ...Array.from({ length: 4 }, () => [251017, 404]),
      [251019, 404],
      [250104, 400],
      [250103, 400],
      [250103, 400],
      [250105, 400],
      [251006, 404],
      [251004, 404],
      [250112, 400],
    ]);
    expect((await packages("demo/files")).records).toEqual([]);
  });
});

describe("a repository with packages", () => {
  test("a repository with packages is deleted only with forced=true, and none of its rows are left", async () => {
    const repos = [
      await repository("goes-maven", "MAVEN"),
      await repository("goes-npm", "NPM"),
      await repository("goes-images", "OCI"),
    ];
    const [maven = "", npm = "", images = ""] = repos;
    for (let at = 0; at < 30; at += 1) {
      await fill.deploy(maven, "g:a", `${at}`);
      await fill.publish(npm, "tool", `1.0.${at}`);
    }
    await fill.push(images, "app", "1");
    for (const repo of repos) {
      const unforced = await api.call("DELETE", `/repository/api/repo/delete/${repo}`);
      expect([unforced.code, unforced.message]).toEqual([
        251008,
        expect.stringContaining("forced=true"),
      ]);
      expect(
        (await api.call("DELETE", `/repository/api/repo/delete/${repo}?forced=true`))
          .code,
      ).toBe(0);
    }
    const left = sql`repository_id NOT IN (SELECT id FROM repository)`;
    for (const table of [sql`package`, sql`node`, sql`image_manifest`])
      expect(api.db.all(sql`SELECT * FROM ${table} WHERE ${left}`)).toEqual([]);
    expect(
      api.db.all(
        sql`SELECT * FROM version WHERE package_id NOT IN (SELECT id FROM package)`,
      ),
    ).toEqual([]);
    expect(
      api.db.all(
        sql`SELECT * FROM dist_tag WHERE package_id NOT IN (SELECT id FROM package)`,
      ),
    ).toEqual([]);
  });
});
