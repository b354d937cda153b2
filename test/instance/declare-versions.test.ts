import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import { VERSIONS_MEDIA_TYPE } from "../../domain/sync-versions.ts";
import { basic } from "../rigs/api/api-fixture.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import {
  frame,
  mavenVersion,
  npmVersion,
} from "../rigs/transfer/package-copy-fixture.ts";
import {
  type PackageTarget,
  startPackageTarget,
} from "../rigs/transfer/package-target-rig.ts";
import { JSON_TYPE } from "../rigs/transfer/protocol-fixture.ts";

let rig: PackageTarget;

beforeAll(async () => {
  rig = await startPackageTarget();
});
afterAll(() => rig.stop());
beforeEach(() => rig.renew());

describe("a deeply nested document", () => {
  it("a version with a document nested too deeply is refused, and the versions beside it are not", async () => {
    const deep = npmVersion("deep", "1.0.0", { more: { nested: "HERE" } });
    const good = npmVersion("good", "1.0.0");
    const contents = [deep, good].flatMap(({ bytes }) => [...bytes.values()]);
    const [head, body] = [4, frame("NPM", [deep.stated, good.stated], contents)];
    const length = body.readUInt32BE(0);
    const text = Buffer.from(
      body
        .toString("utf8", head, head + length)
        .replace('"HERE"', "[".repeat(100_000) + "]".repeat(100_000)),
    );
    const size = Buffer.alloc(head);
    size.writeUInt32BE(text.length);
    const { data } = await rig.post(
      rig.repos.npm,
      Buffer.concat([size, text, body.subarray(head + length)]),
    );
    expect(data).toMatchObject({
      versions: [
        {
          result: "refused",
          code: 250106,
          message: expect.stringContaining("nested too deeply"),
        },
        { result: "made" },
      ],
    });
    expect(await rig.packument("deep")).toBeNull();
  });
});

describe("many versions in one statement", () => {
  it("all versions after a conflict in a statement are stopped under FAST_FAIL", async () => {
    const built = Array.from({ length: 50 }, (_, i) => npmVersion("lib", `1.0.${i}`));
    await rig.stateAll("NPM", [npmVersion("lib", "1.0.10")]);
    const answers = await rig.stateAll("NPM", built, { conflictStrategy: "FAST_FAIL" });
    expect(answers.map((answer) => (answer as { result: string }).result)).toEqual([
      ...Array(10).fill("made"),
      "conflict",
      ...Array(39).fill("stopped"),
    ]);
  });
});

describe("contents attached to a statement", () => {
  it("a content that arrives damaged fails only its version and is not stored", async () => {
    const [good, bad] = [npmVersion("good", "1.0.0"), npmVersion("bad", "1.0.0")];
    const [content] = [...good.bytes.values()];
    const [lost] = [...bad.bytes.values()];
    const changed = randomBytes(lost?.length ?? 0);
    const attached = [good, bad].map(({ stated }) => ({
      sha256: stated.files[0]?.sha256,
      size: stated.files[0]?.size,
    }));
    const body = frame("NPM", [good.stated, bad.stated], [], { contents: attached });
    const { data } = await rig.post(
      rig.repos.npm,
      Buffer.concat([body, content ?? changed, changed]),
    );
    expect(data).toEqual({
      versions: [{ result: "made", written: 1 }, { result: "damaged" }],
      damaged: [bad.stated.files[0]?.sha256],
    });
    expect(rig.isThere(changed)).toBe(false);
    expect(await rig.packument("bad")).toBeNull();
  });

  it("contents may be sent in a statement before the one that declares their version", async () => {
    const built = mavenVersion("com.acme:lib", "1.0");
    expect(await rig.stateAll("MAVEN", [], {}, [...built.bytes.values()])).toEqual([]);
    expect(await rig.stateAll("MAVEN", [built], {}, [])).toEqual([
      { result: "made", written: 2 },
    ]);
  });
});

describe("a statement of versions", () => {
  const built = npmVersion("lib", "1.0.0");
  const { stated } = built;
  const large = randomBytes(SYNC_LIMITS.fileBytes + 1);

  it.each<[string, () => Buffer]>([
    [
      "is not JSON",
      () => Buffer.concat([Buffer.from([0, 0, 0, 4]), Buffer.from("nope")]),
    ],
    [
      "ends early",
      () => frame("NPM", [stated], [...built.bytes.values()]).subarray(0, -1),
    ],
    [
      "has bytes left over",
      () => Buffer.concat([frame("NPM", [stated]), randomBytes(3)]),
    ],
    ["names a version twice", () => frame("NPM", [stated, stated])],
    [
      "names a content twice",
      () => frame("NPM", [], [large.subarray(0, 9), large.subarray(0, 9)]),
    ],
    ["has too large a content", () => frame("NPM", [], [large])],
    [
      "has too many versions",
      () =>
        frame(
          "NPM",
          Array.from({ length: SYNC_LIMITS.versions + 1 }, (_, i) => ({
            ...stated,
            version: `1.0.${i}`,
          })),
        ),
    ],
    ["has a version without files", () => frame("NPM", [{ ...stated, files: [] }])],
    [
      "has a JSON list as its document",
      () => frame("NPM", [{ ...stated, document: [] }]),
    ],
    [
      "has an unknown strategy",
      () => frame("NPM", [stated], [], { conflictStrategy: "WHATEVER" }),
    ],
    ["is of another type", () => frame("MAVEN", [])],
    ["is of a type without versions", () => frame("GENERIC", [])],
  ])(
    "a statement of versions that %s is refused and changes nothing",
    async (_, body) => {
      expect(await rig.post(rig.repos.npm, body())).toMatchObject({
        status: 400,
        code: 250106,
      });
      expect(rig.events(rig.repos.npm)).toEqual([]);
    },
  );

  it("a statement of versions larger than the limits is refused with 413", async () => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(SYNC_LIMITS.versionBytes + 1);
    expect(
      await rig.post(
        rig.repos.npm,
        Buffer.concat([head, Buffer.alloc(SYNC_LIMITS.versionBytes + 1)]),
      ),
    ).toMatchObject({
      status: 413,
    });
  });

  it("a declared version may have a document of 5 MiB or 10,000 files", async () => {
    const readme = "x".repeat(5 * 1024 ** 2);
    expect(
      await rig.stateAll("NPM", [npmVersion("long", "1.0.0", { more: { readme } })]),
    ).toEqual([{ result: "made", written: 1 }]);
    expect((await rig.packument("long"))?.versions["1.0.0"]?.["name"]).toBe("long");
    const files = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [
        `-part${i}.bin`,
        Buffer.from(String(i % 50)),
      ]),
    );
    const many = mavenVersion("com.acme:many", "1.0", files);
    const contents = [
      ...new Map(
        [...many.bytes.values()].map((content) => [sha256(content), content]),
      ).values(),
    ];
    expect(await rig.stateAll("MAVEN", [many], {}, contents)).toEqual([
      { result: "made", written: 10_001 },
    ]);
    expect(await rig.stateAll("MAVEN", [many], {}, [])).toEqual([{ result: "same" }]);
  }, 60_000);

  it("a statement of versions is refused without media type, login and a repository with versions", async () => {
    const body = frame("NPM", []);
    expect(
      await rig.call("POST", `/versions/copies/${rig.repos.npm}`, body, JSON_TYPE),
    ).toMatchObject({
      status: 415,
      code: 250119,
    });
    expect(
      await rig.call("POST", `/versions/copies/${rig.repos.npm}`, body, {
        "content-type": VERSIONS_MEDIA_TYPE,
        authorization: basic("admin:wrong"),
      }),
    ).toMatchObject({ status: 401 });
    expect(await rig.post("nowhere", body)).toMatchObject({ status: 404, code: 251006 });
    await rig.call("POST", "/repositories/copies/plain", `{"type":"GENERIC"}`, JSON_TYPE);
    expect(await rig.post("plain", body)).toMatchObject({
      status: 400,
      code: 250112,
      message: expect.stringContaining("is of type GENERIC"),
    });
  });
});
