import { asc, eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { putBlobs } from "../../db/content/blobs.ts";
import { type Db, write } from "../../db/open.ts";
import { recordMavenFiles } from "../../db/packages/maven/record.ts";
import {
  deleteVersionRow,
  findPackage,
  findVersion,
  putVersion,
} from "../../db/packages/versions.ts";
import { putNodes } from "../../db/content/put-nodes.ts";
import { findRepository, type RepositoryRow } from "../../db/content/repositories.ts";
import { takeBatch } from "../../db/runs/batch.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { PAGE } from "../../db/plan/rows.ts";
import { runTargets } from "../../db/runs/targets.ts";
import { plan } from "../../db/schema/plans.ts";
import { newId } from "../../domain/ids.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const BY = {
  createdBy: "tester",
  createdDate: NOW,
  lastModifiedBy: "tester",
  lastModifiedDate: NOW,
};
const SHA256 = "0".repeat(64);

let db: Db;

beforeEach(() => {
  db = openTestDb();
  for (const [name, type] of [
    ["images", "OCI"],
    ["maven", "MAVEN"],
    ["npm", "NPM"],
  ] as const)
    addRepository(db, "p", name, type);
});
afterEach(() => removeTestDb(db));

const repositoryOf = (name: string): RepositoryRow =>
  findRepository(db, "p", name) ?? expect.fail(`repository p/${name} does not exist`);

/** Adds versions given as `package:version`, for Maven `group:artifact:version`. Their digests belong to no content. */
function addVersions(repoName: string, ...list: string[]): void {
  const { id } = repositoryOf(repoName);
  write(db, (tx) => {
    for (const each of list) {
      const at = each.lastIndexOf(":");
      putVersion(
        tx,
        id,
        each.slice(0, at),
        {
          name: each.slice(at + 1),
          digest: `sha256:${SHA256}`,
          size: 10,
          complete: true,
          document: null,
        },
        BY,
      );
    }
  });
}

function addFiles(...paths: string[]): void {
  const repository = repositoryOf("maven");
  putBlobs(db, [{ sha256: SHA256, md5: "0".repeat(32), size: 7, inline: true }], NOW);
  putNodes(
    db,
    repository,
    paths.map((fullPath) => ({ fullPath, sha256: SHA256, metadata: {} })),
    { overwrite: true, user: "tester", now: NOW },
  );
  write(db, (tx) => recordMavenFiles(tx, repository, paths, BY, NOW));
}

type Wanted = { packages?: [key: string, ...versions: string[]][]; paths?: string[] };

function objectOf(localRepoName: string, { packages, paths }: Wanted = {}): TaskObject {
  const repoType: RepositoryType = repositoryOf(localRepoName).type;
  const packageConstraints =
    packages?.map(([packageKey, ...versions]) => ({ packageKey, versions })) ?? null;
  return {
    localRepoName,
    repoType,
    remoteProjectId: null,
    remoteRepoName: null,
    packageConstraints,
    pathConstraints: paths?.map((path) => ({ path })) ?? null,
  };
}

function open(
  object: TaskObject,
  type: "STANDALONE" | "REMOTE" = "STANDALONE",
): { recordId: string; clusterId: string } {
  const clusterId = addCluster(db, newId(), type);
  return { recordId: openRun(db, object, [clusterId], NOW), clusterId };
}

const page = (recordId: string, object: TaskObject) =>
  planHostedPage(db, recordId, 0, { ...object, projectId: "p" }, NOW);
const rowsOf = (recordId: string) =>
  db.select().from(plan).where(eq(plan.recordId, recordId)).orderBy(asc(plan.seq)).all();

function planned(object: TaskObject): string[] {
  const { recordId } = open(object);
  while (!page(recordId, object));
  const rows = rowsOf(recordId);
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1));
  expect(
    rows.filter(
      ({ size, digest, problem }) =>
        problem === null && (size === null || digest === null),
    ),
  ).toEqual([]);
  return rows.map(
    ({ name, version, problem }) =>
      `${name}${version && `:${version}`}${problem === null ? "" : ` (${problem})`}`,
  );
}

describe("a plan of images", () => {
  test("a plan of images has a row for each tag, also for tags that only look like attached manifests", () => {
    const attached = `sha256-${"a".repeat(64)}`;
    addVersions(
      "images",
      "app:1",
      "app:latest",
      "app:sha256-1",
      "team/db:15",
      `app:${attached}`,
      `app:${attached}.sig`,
      `app:${attached}.att`,
      `app:${attached}.other`,
    );
    const tags = [
      "1",
      "latest",
      "sha256-1",
      attached,
      `${attached}.att`,
      `${attached}.other`,
      `${attached}.sig`,
    ];
    expect(planned(objectOf("images"))).toEqual([
      ...tags.map((tag) => `app:${tag}`),
      "team/db:15",
    ]);
  });

  test("a plan of image packages has all their tags or the chosen ones, and names those that are missing", () => {
    addVersions(
      "images",
      "app:1",
      "app:2",
      "db:15",
      "cache:7",
      `signed:sha256-${"a".repeat(64)}.sig`,
    );
    const wanted = objectOf("images", {
      packages: [
        ["docker://app", "2", "gone", "2"],
        ["oci://db"],
        ["oci://nosuch", "1"],
        ["oci://signed"],
        ["docker://db", "15"],
      ],
    });
    expect(planned(wanted)).toEqual([
      "app:2",
      "app:gone (version gone of package docker://app is not in p/images)",
      "db:15",
      "nosuch (package oci://nosuch is not in p/images: check its name)",
      `signed:sha256-${"a".repeat(64)}.sig`,
    ]);
  });

  test("images and NPM packages can be sent to registries and instances, MAVEN packages only to instances", () => {
    const problems = (["images", "maven", "npm"] as const).flatMap((name) =>
      (["STANDALONE", "REMOTE"] as const).map((type) => {
        const [problem = "none"] = runTargets(
          db,
          open(objectOf(name), type).recordId,
        ).problems;
        return `${name} ${type}: ${problem.replace(/^.*?: /, "")}`;
      }),
    );
    expect(problems).toEqual([
      "images STANDALONE: none",
      "images REMOTE: none",
      "maven STANDALONE: none",
      "maven REMOTE: packages of a hosted MAVEN repository can be sent to another instance " +
        "(CENTER, EDGE, STANDALONE), not yet to a REMOTE cluster",
      "npm STANDALONE: none",
      "npm REMOTE: none",
    ]);
  });

  test("a batch contains the present digest of each tag, and null for a deleted one", () => {
    addVersions("images", "app:1", "app:2");
    const object = objectOf("images");
    const { recordId, clusterId } = open(object);
    while (!page(recordId, object));
    const owner = findPackage(db, repositoryOf("images").id, "app");
    const row = owner && findVersion(db, owner.id, "2");
    if (row) deleteVersionRow(db, row);
    const [batch] = cutBatches(
      db,
      { recordId, object: 0, clusterId, cut: 1, most: 9 },
      NOW,
    ).batches;
    expect(batch?.summary).toMatch(/^app: 2 images → /);
    const taken = takeBatch(db, recordId, batch?.number ?? 0, NOW);
    expect(taken).toMatchObject({
      kind: "batch",
      target: { type: "STANDALONE" },
      artifacts: [
        { name: "app", version: "1", digest: `sha256:${SHA256}`, plannedSize: 10 },
        { version: "2", digest: null },
      ],
    });
  });
});

describe("a plan of a MAVEN repository", () => {
  const LIB = "/com/acme/lib/1.0/lib-1.0";

  test("a plan of a MAVEN repository has a row for each version and for each file outside the layout", () => {
    addFiles(
      `${LIB}.jar`,
      `${LIB}.pom`,
      "/com/acme/lib/2.0/lib-2.0.pom",
      "/readme.txt",
      "/com/acme/maven-metadata.xml",
      "/com/acme/maven-metadata.xml.sha1",
      "/readme.txt.md5",
    );
    expect(planned(objectOf("maven"))).toEqual([
      "com.acme:lib:1.0",
      "com.acme:lib:2.0",
      "/readme.txt",
    ]);
    const { recordId, clusterId } = open(objectOf("maven"));
    while (!page(recordId, objectOf("maven")));
    expect(
      cutBatches(db, { recordId, object: 0, clusterId, cut: 1, most: 9 }, NOW).batches[0]
        ?.summary,
    ).toMatch(/^maven: 3 versions → /);
  });

  test("a plan of Maven paths has the files below them, also those of versions, but no computed files", () => {
    addFiles(
      `${LIB}.jar`,
      `${LIB}.pom`,
      `${LIB}.jar.sha1`,
      "/com/acme/maven-metadata.xml",
      "/other/readme.txt",
    );
    expect(planned(objectOf("maven", { paths: ["/com"] }))).toEqual([
      `${LIB}.jar`,
      `${LIB}.pom`,
    ]);
    expect(
      planned(
        objectOf("maven", {
          paths: ["/com/acme/lib/1.0/*.jar*", "/com/acme/maven-metadata.xml"],
        }),
      ),
    ).toEqual([
      `${LIB}.jar`,
      "/com/acme/maven-metadata.xml (nothing matches path /com/acme/maven-metadata.xml in p/maven)",
    ]);
  });

  test("a plan of Maven packages and paths has versions of the packages and files of the paths", () => {
    addFiles(`${LIB}.jar`, "/com/acme/lib/2.0/lib-2.0.jar", "/other/readme.txt");
    expect(
      planned(
        objectOf("maven", {
          packages: [["gav://com.acme:lib", "1.0"]],
          paths: ["/other"],
        }),
      ),
    ).toEqual(["com.acme:lib:1.0", "/other/readme.txt"]);
  });
});

describe("a plan of very many versions", () => {
  test("a plan of very many versions is made page by page and has each version once", () => {
    addVersions(
      "npm",
      ...Array.from({ length: 6_000 }, (_, at) => `@acme/many:1.0.${at}`),
      "a:1.0.0",
      "z:1.0.0",
    );
    const object = objectOf("npm");
    const { recordId } = open(object);
    expect(page(recordId, object)).toBe(false);
    expect(rowsOf(recordId)).toHaveLength(PAGE);
    while (!page(recordId, object));
    const rows = rowsOf(recordId);
    expect([
      rows.length,
      new Set(rows.map(({ name, version }) => `${name}:${version}`)).size,
    ]).toEqual([6_002, 6_002]);
    expect(
      planned(objectOf("npm", { packages: [["npm://@acme/many"], ["npm://a"]] })),
    ).toHaveLength(6_001);
    const chosen = Array.from({ length: 6_000 }, (_, at) => `1.0.${at}`);
    expect(
      planned(objectOf("npm", { packages: [["npm://@acme/many", ...chosen, "none"]] })),
    ).toHaveLength(6_001);
  });
});
