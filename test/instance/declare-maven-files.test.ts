import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { DATES, mavenPath, pom } from "../rigs/transfer/package-copy-fixture.ts";
import {
  fileAt,
  type PackageTarget,
  startPackageTarget,
} from "../rigs/transfer/package-target-rig.ts";

let rig: PackageTarget;

beforeAll(async () => {
  rig = await startPackageTarget();
});
afterAll(() => rig.stop());
beforeEach(() => rig.renew());

describe("files declared one by one", () => {
  it("files declared to a Maven repository form versions, and cannot change releases or metadata", async () => {
    const [group, artifact] = ["com.acme", "bom"];
    const own = pom(group, artifact, "1.0", "pom");
    const at = mavenPath("com.acme:bom", "1.0", "bom-1.0.pom");
    const loose = randomBytes(20);
    const taken = await rig.stateFiles(
      [
        fileAt(at, own),
        fileAt("/notes/readme.txt", loose),
        fileAt("/com/acme/bom/maven-metadata.xml", loose, { attached: false }),
      ],
      [own, loose],
    );
    expect(taken.files).toMatchObject([
      { result: "made" },
      { result: "made" },
      { result: "refused", code: 250112 },
    ]);
    expect(rig.rowOf(rig.repos.maven, "com.acme:bom", "1.0")).toMatchObject({
      complete: true,
      ...DATES,
    });
    expect(rig.events(rig.repos.maven)).toEqual([
      { kind: "node", subject: "/notes/readme.txt", version: null },
      { kind: "version", subject: "gav://com.acme:bom", version: "1.0" },
    ]);
    const other = pom(group, artifact, "1.0", "jar");
    expect(
      (
        await rig.stateFiles([fileAt(at, other)], [other], {
          conflictStrategy: "OVERWRITE",
        })
      ).files,
    ).toMatchObject([
      {
        result: "refused",
        code: 251020,
        message: expect.stringContaining("must not change"),
      },
    ]);
    expect((await rig.stateFiles([fileAt(at, other)], [other])).files).toMatchObject([
      { result: "conflict", existing: sha256(own) },
    ]);
    expect(
      (
        await rig.stateFiles([fileAt("/notes/readme.txt", other)], [other], {
          conflictStrategy: "OVERWRITE",
        })
      ).files,
    ).toMatchObject([{ result: "replaced" }]);
    expect(await rig.download(at)).toEqual(own);
  });

  it("files declared one by one are refused by an npm repository", async () => {
    const content = randomBytes(5);
    expect(
      await rig.stateFiles([fileAt("/a", content)], [content], {}, rig.repos.npm, "NPM"),
    ).toMatchObject({
      status: 400,
      code: 250112,
    });
  });
});
