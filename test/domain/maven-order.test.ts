import { expect, test } from "vitest";
import { compareMavenVersions, sortMavenVersions } from "../../domain/maven/order.ts";
import {
  checksumOf,
  compareBuilds,
  isMainArtifact,
  mavenFolder,
  mavenPackage,
  parseMavenPath,
} from "../../domain/maven/layout.ts";

// These pairs come from "Version Order Specification" in Maven's POM reference, and from results of
// ComparableVersion of Maven 3.8.
test.each([
  ["1", "1.1"],
  ["1-snapshot", "1"],
  ["1", "1-sp"],
  ["1-foo2", "1-foo10"],
  ["1.foo", "1-1"],
  ["1-foo", "1.1"],
  ["1-sp-1", "1-sp.1"],
  ["1-sp-1", "1-ga-1"],
  ["1-ga.1", "1-sp.1"],
  ["1-alpha", "1-beta"],
  ["1-beta", "1-milestone"],
  ["1-milestone", "1-rc"],
  ["1-rc", "1-snapshot"],
  ["1-sp", "1-xyz"],
  ["1-xyz", "1-1"],
  ["1.9", "1.10"],
  ["1.0-alpha-10", "1.0-beta-2"],
  ["2.0.1-xyz", "2.0.1-123"],
  ["1.0-SNAPSHOT", "1.0"],
  ["1.0.0-RC1", "1.0.0.Final"],
  ["20030203000129", "20030203000130"],
  ["99999999999999999998", "99999999999999999999"],
  ["31.1-android", "31.1-jre"],
])("Maven version %s is older than %s", (older, newer) => {
  expect([
    compareMavenVersions(older, newer),
    compareMavenVersions(newer, older),
  ]).toEqual([-1, 1]);
});

test.each([
  ["1.ga", "1-ga", "1-0", "1.0", "1"],
  ["1-a1", "1-alpha-1"],
  ["1-cr2", "1-rc-2"],
  ["1.0.RELEASE", "1.0"],
  ["1.0-FINAL", "1"],
])(
  "Maven version %s and others that Maven considers equal are sorted by their text",
  (...same) => {
    for (const a of same)
      for (const b of same)
        expect([compareMavenVersions(a, "0.9"), compareMavenVersions(a, b)]).toEqual([
          1,
          Number(a > b) - Number(a < b),
        ]);
  },
);

test("sorting Maven versions puts the oldest first", () => {
  expect(sortMavenVersions(["1.10", "1.0", "1.9-SNAPSHOT", "1.0-rc1", "1.9"])).toEqual([
    "1.0-rc1",
    "1.0",
    "1.9-SNAPSHOT",
    "1.9",
    "1.10",
  ]);
});

const BUILD = { timestamp: "20260131.235959", number: 3 };

test.each([
  ["/org/example/app/1.0/app-1.0.jar", ["org.example:app", "1.0", null, "jar", null]],
  ["/x/app/1.0/app-1.0-sources.jar", ["x:app", "1.0", "sources", "jar", null]],
  ["/x/app/1.0/app-1.0-bin.tar.gz.asc", ["x:app", "1.0", "bin", "tar.gz.asc", null]],
  ["/x/app/1.0/app-1.0.tar.gz", ["x:app", "1.0", null, "tar.gz", null]],
  [
    "/x/netty/4.1/netty-4.1-linux-x86_64.so",
    ["x:netty", "4.1", "linux-x86_64", "so", null],
  ],
  [
    "/x/app/1.0-SNAPSHOT/app-1.0-SNAPSHOT.jar",
    ["x:app", "1.0-SNAPSHOT", null, "jar", null],
  ],
  [
    "/x/app/1.0-SNAPSHOT/app-1.0-20260131.235959-3-sources.jar",
    ["x:app", "1.0-SNAPSHOT", "sources", "jar", BUILD],
  ],
  [
    "/x/app/SNAPSHOT/app-20260131.235959-3.pom",
    ["x:app", "SNAPSHOT", null, "pom", BUILD],
  ],
  ["/x/app/1.0+b.1/app-1.0+b.1.jar", ["x:app", "1.0+b.1", null, "jar", null]],
] as const)(
  "the path %s belongs to Maven's layout",
  (path, [name, version, classifier, extension, build]) => {
    const file = parseMavenPath(path);
    expect(file).toMatchObject({ version, classifier, extension, build });
    expect(file && mavenPackage(file)).toBe(name);
    expect(path.startsWith(`${mavenFolder(name, version)}/`)).toBe(true);
  },
);

test.each([
  "/app-1.0.jar",
  "/app/1.0/app-1.0.jar",
  "/x/app/1.0/app-2.0.jar",
  "/x/app/1.0/app-1.0",
  "/x/app/1.0/app-1.0.",
  "/x/app/1.0/README.md",
  "/a.b/app/1/app-1.jar",
  "/x/a:b/1/a:b-1.jar",
  "/x/app/1 0/app-1 0.jar",
  "/x/app/maven-metadata.xml",
  "/x/maven/metadata/maven-metadata.xml",
])("the path %s does not belong to Maven's layout", (path) =>
  expect(parseMavenPath(path)).toBeNull(),
);

test("Maven paths are recognized as checksums, main artifacts and snapshot builds", () => {
  expect([
    checksumOf("/a/b.jar.sha512"),
    checksumOf("/a/b.jar"),
    checksumOf("/a/.md5"),
  ]).toEqual([{ of: "/a/b.jar", checksum: "sha512" }, null, null]);
  const main = [
    "app-1.jar",
    "app-1.war",
    "app-1.pom",
    "app-1.module",
    "app-1.jar.asc",
    "app-1-sources.jar",
  ].filter((name) => {
    const file = parseMavenPath(`/x/app/1/${name}`);
    return file && isMainArtifact(file);
  });
  expect(main).toEqual(["app-1.jar", "app-1.war"]);
  expect([
    compareBuilds(BUILD, { ...BUILD, number: 10 }) < 0,
    compareBuilds(null, BUILD) < 0,
    compareBuilds(BUILD, BUILD),
  ]).toEqual([true, true, 0]);
});
