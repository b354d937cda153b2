import { expect, test } from "vitest";
import { putBlobs } from "../../db/content/blobs.ts";
import { write } from "../../db/open.ts";
import { deleteNpmPackage, deleteNpmVersion } from "../../db/packages/npm/delete.ts";
import { shownTags, versionNames } from "../../db/packages/npm/find.ts";
import { putNpmVersion } from "../../db/packages/npm/record.ts";
import { findPackage } from "../../db/packages/versions.ts";
import { putNodes } from "../../db/content/put-nodes.ts";
import { insertRepository, findRepository } from "../../db/content/repositories.ts";
import {
  isDistTag,
  isNpmName,
  latestVersion,
  storedDocument,
  tarballFile,
  tarballPath,
} from "../../domain/npm/package.ts";
import { compareNpmVersions, isNpmVersion } from "../../domain/npm/version.ts";
import { createContent, md5, NOW, sha256 } from "../rigs/api/content-fixture.ts";

const ORDERED = [
  "0.0.1",
  "0.9.0",
  "0.10.0",
  "1.0.0-0",
  "1.0.0-2",
  "1.0.0-10",
  "1.0.0-alpha",
  "1.0.0-alpha.1",
  "1.0.0-alpha.beta",
  "1.0.0-beta",
  "1.0.0-beta.2",
  "1.0.0-beta.11",
  "1.0.0-rc.1",
  "1.0.0",
  "1.0.0+build.1",
  "1.0.1",
  "9007199254740993.0.0",
  "9007199254740994.0.0",
];

test("npm versions are sorted in the order that semver defines", () => {
  const shuffled = ORDERED.toReversed();
  expect(shuffled.sort(compareNpmVersions)).toEqual(ORDERED);
  expect(ORDERED.every(isNpmVersion)).toBe(true);
  expect(compareNpmVersions("nonsense", "0.0.1")).toBeLessThan(0);
});

test.each([
  "1.0",
  "v1.0.0",
  "01.0.0",
  "1.0.0-01",
  "1.0.0-",
  "latest",
  "",
  "1.0.0 ",
  "1.0.0\n",
  `1.0.0-${"a".repeat(300)}`,
])("%j is not a valid npm version", (text) => {
  expect(isNpmVersion(text)).toBe(false);
});

test("package names that npm accepts are valid, also older names with capital letters", () => {
  expect(
    ["pear", "@s/pear", "JSONStream", "a.b_c~d-e", "@scope-1/x"].every(isNpmName),
  ).toBe(true);
  expect(
    [
      ".x",
      "_x",
      "@s/",
      "@s",
      "a/b",
      "@s/a/b",
      "a b",
      "node_modules",
      "favicon.ico",
      "-",
      "@s/-",
      "",
      "é",
      "a".repeat(215),
    ].filter(isNpmName),
  ).toEqual([]);
});

test("a dist-tag may be a word, but not a version or a range of versions", () => {
  expect(
    ["latest", "next-11", "es5", "release.candidate", "vnext", "__proto__"].every(
      isDistTag,
    ),
  ).toBe(true);
  expect(
    [
      "1",
      "1.2",
      "v1",
      "1.x",
      "x",
      "*",
      "1.0.0",
      "v1.0.0-beta",
      "a/b",
      "a b",
      "",
      "..",
    ].filter(isDistTag),
  ).toEqual([]);
});

test("the latest npm version is the one with that tag, else the highest release, else the highest version", () => {
  expect(latestVersion("1.0.0", ["1.0.0", "2.0.0"])).toBe("1.0.0");
  expect(latestVersion(undefined, ["2.0.0-rc.1", "1.9.0", "1.10.0"])).toBe("1.10.0");
  expect(latestVersion(undefined, ["2.0.0-rc.1", "2.0.0-rc.2"])).toBe("2.0.0-rc.2");
  expect(latestVersion(undefined, [])).toBeNull();
});

test("the stored document of an npm version names that version and contains no host", () => {
  const stored = storedDocument(
    {
      name: "x",
      version: "9",
      dist: { integrity: "i", tarball: "http://a/b" },
      main: "m",
    },
    "@s/n",
    "1.0.0",
    "n-1.0.0.tgz",
  );
  expect(stored).toEqual({
    name: "@s/n",
    version: "1.0.0",
    _id: "@s/n@1.0.0",
    main: "m",
    dist: { integrity: "i", tarball: "@s/n/-/n-1.0.0.tgz" },
  });
});

/** Creates a repository with versions 1.0.0, 1.1.0 … of a package: `n` versions, all with the same content. */
function createPackage(n: number) {
  const content = createContent();
  const { db } = content;
  const { id: _, ...sample } = content.repository;
  insertRepository(
    db,
    { ...sample, name: "npm", type: "NPM" },
    { user: "tester", now: NOW },
  );
  const repository = findRepository(db, "p", "npm");
  if (!repository) throw new Error("repository p/npm was not created");
  const audit = {
    createdBy: "tester",
    createdDate: NOW,
    lastModifiedBy: "tester",
    lastModifiedDate: NOW,
  };
  const name = "@s/pear";
  write(db, (tx) => {
    putBlobs(tx, [{ sha256: sha256("x"), md5: md5("x"), size: 1, inline: true }], NOW);
    for (let i = 0; i < n; i += 1) {
      const version = `1.${i}.0`;
      const file = tarballFile(name, version);
      putNodes(
        db,
        repository,
        [
          {
            fullPath: tarballPath(name, file),
            sha256: sha256("x"),
            metadata: {},
            partOfVersion: true,
          },
        ],
        { overwrite: false, user: "tester", now: NOW },
      );
      putNpmVersion(
        tx,
        repository,
        {
          name,
          version,
          document: {},
          tarball: { sha256: sha256("x"), size: 1, file },
          distTags: i === 0 ? ["latest", "old"] : [],
        },
        audit,
        NOW,
      );
    }
  });
  const count = (table: string) =>
    db.$client.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  return {
    ...content,
    repository,
    name,
    left: () => ["package", "version", "dist_tag", "node"].map(count),
  };
}

test("deleting an npm version deletes its tarball and tags, and the last one takes package and folders along", () => {
  const { db, repository, name, left, close } = createPackage(2);
  const before = findPackage(db, repository.id, name)?.lastModifiedDate ?? 0;
  expect(deleteNpmVersion(db, repository, name, "9.9.9", NOW)).toBe(false);
  expect(deleteNpmVersion(db, repository, "other", "1.0.0", NOW)).toBe(false);
  expect(deleteNpmVersion(db, repository, name, "1.0.0", NOW)).toBe(true);
  const owner = findPackage(db, repository.id, name);
  expect([
    owner && versionNames(db, owner.id),
    owner && [...shownTags(db, owner.id)],
  ]).toEqual([["1.1.0"], [["latest", "1.1.0"]]]);
  expect(owner?.lastModifiedDate).toBeGreaterThan(before);
  expect(deleteNpmVersion(db, repository, name, "1.1.0", NOW)).toBe(true);
  expect(left()).toEqual([0, 0, 0, 0]);
  close();
});

test("deleting a large npm package leaves nothing of it, and deleting it again returns false", () => {
  const { db, repository, name, left, close } = createPackage(450);
  expect(deleteNpmPackage(db, repository, name, NOW)).toBe(true);
  expect(left()).toEqual([0, 0, 0, 0]);
  expect(deleteNpmPackage(db, repository, name, NOW)).toBe(false);
  close();
});
