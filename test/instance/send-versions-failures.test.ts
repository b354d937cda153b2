import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import type { Fault } from "../rigs/servers/proxy.ts";
import { clientOf, quietHooks } from "../rigs/transfer/instance-fixture.ts";
import {
  type Built,
  mavenVersion,
  npmVersion,
} from "../rigs/transfer/package-copy-fixture.ts";
import {
  startVersionSender,
  type VersionSender,
} from "../rigs/transfer/version-sender-rig.ts";

const MIB = 1024 * 1024;

let rig: VersionSender;

beforeEach(async () => {
  rig = await startVersionSender();
});
afterEach(() => rig.stop());

describe("a source that lost or damaged content", () => {
  it("versions whose content is lost or damaged at the source fail with this reason, and others are sent", async () => {
    const jars = [100_000, 100_001, 3 * MIB, 3 * MIB + 1].map((size) =>
      randomBytes(size),
    );
    const built = await rig.store(
      ...jars.map((jar, i) => mavenVersion("a.b:c", `${i}`, { ".jar": jar })),
      mavenVersion("a.b:c", "9"),
    );
    const at = (i: number) => blobFile(layout(rig.source.dataDir), sha256(jars[i] ?? ""));
    for (const i of [0, 2]) rmSync(at(i));
    for (const i of [1, 3]) writeFileSync(at(i), randomBytes(jars[i]?.length ?? 0));
    const { kinds, reasons } = await rig.run(built);
    expect(kinds).toEqual(["failed", "failed", "failed", "failed", "sent"]);
    for (const i of [0, 2])
      expect(reasons[i]).toMatch(new RegExp(`a.b:c ${i}: .*not in the store`));
    for (const i of [1, 3])
      expect(reasons[i]).toMatch(new RegExp(`a.b:c ${i}: .*damaged`));
    for (const i of [0, 1, 2, 3])
      expect(await rig.download(`/a/b/c/${i}/c-${i}.pom`, "maven")).toBeNull();
  });
});

describe("a target that is away or answers wrongly", () => {
  let built: Built[];

  beforeEach(async () => {
    built = await rig.store(
      npmVersion("a", "1.0.0"),
      npmVersion("b", "1.0.0", { tarball: randomBytes(5 * MIB) }),
    );
  });

  it.each<[string, Fault, object]>([
    ["cuts connections", { kind: "reset" }, { unreachable: true }],
    ["cuts request bodies", { kind: "cutRequest", afterBytes: 50 }, {}],
    ["cuts answers", { kind: "cutAnswer", afterBytes: 20 }, {}],
    [
      "answers 429 with Retry-After",
      { kind: "answer", status: 429, headers: { "retry-after": "7" } },
      { throttled: true, notBefore: expect.any(Number) },
    ],
    ["answers 503", { kind: "answer", status: 503 }, {}],
  ])(
    "versions are tried again, and then sent, when the target %s",
    async (_, fault, result) => {
      rig.fails(fault, /versions/, 1);
      const first = await rig.run(built);
      expect(first.outcomes.map((outcome) => outcome?.result)).toMatchObject([
        { kind: "again", ...result },
        { kind: "again", ...result },
      ]);
      expect((await rig.run(built, { mayHaveSent: true })).kinds).toEqual([
        "sent",
        "sent",
      ]);
      await rig.expectThere(built);
    },
  );

  it("the upload of a version's big file continues at the byte where it was cut", async () => {
    const big = await rig.store(
      npmVersion("big", "1.0.0", { tarball: randomBytes(40 * MIB) }),
    );
    rig.fails({ kind: "cutRequest", afterBytes: 30 * MIB }, /uploads\/./);
    const first = await rig.run(big);
    const [again] = first.outcomes;
    expect(again?.result).toMatchObject({
      kind: "again",
      uploads: [{ digest: big[0]?.stated.digest }],
    });
    rig.proxy.clear();
    const uploads = again?.result.kind === "again" ? again.result.uploads : [];
    const { kinds } = await rig.run(big, { mayHaveSent: true, uploads });
    expect(kinds).toEqual(["sent"]);
    expect(
      rig.proxy.requests
        .filter(({ method }) => method === "PATCH")
        .reduce((sum, { bytes }) => sum + bytes, 0),
    ).toBeLessThan(20 * MIB);
    await rig.expectThere(big);
  });

  it("a version fails with a clear reason if the target's answer does not follow the protocol", async () => {
    rig.fails(
      {
        kind: "answer",
        status: 200,
        body: JSON.stringify({
          code: 0,
          message: null,
          data: { versions: [{ result: "need", files: ["0".repeat(64)] }], damaged: [] },
        }),
      },
      /versions/,
    );
    const { outcomes } = await rig.run(built.slice(0, 1));
    expect(outcomes[0]?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("does not follow the replication protocol"),
    });
  });

  it("versions of a type that the target does not support fail with the advice to update the target", async () => {
    const data = { ...(await rig.client.capabilities()), repositoryTypes: ["GENERIC"] };
    rig.fails(
      {
        kind: "answer",
        status: 200,
        body: JSON.stringify({ code: 0, message: null, data }),
      },
      /capabilities/,
    );
    const fresh = clientOf(rig.proxy.url);
    const { outcomes } = await rig.run(built.slice(0, 1), { target: fresh });
    await fresh.close();
    expect(outcomes[0]?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(
        /does not support NPM repositories: bring that instance to this release/,
      ),
    });
  });

  it("a version that the target reports as damaged on arrival is tried at most three times", async () => {
    const [one] = built;
    const digest = one?.stated.files[0]?.sha256 ?? "";
    const body = JSON.stringify({
      code: 0,
      message: null,
      data: { versions: [{ result: "damaged" }], damaged: [digest] },
    });
    rig.fails({ kind: "answer", status: 200, body }, /versions/);
    expect((await rig.run(built.slice(0, 1))).outcomes[0]?.result).toMatchObject({
      kind: "again",
      maxTries: 3,
      reason: expect.stringContaining("the content was damaged on the way to"),
    });
  });
});

describe("an abort", () => {
  it("aborting a copy of versions ends its requests soon, and writes nothing", async () => {
    const built = await rig.store(
      npmVersion("a", "1.0.0", { tarball: randomBytes(20 * MIB) }),
    );
    const stop = new AbortController();
    let aborted = 0;
    const onBytes = () => {
      if (aborted > 0) return;
      aborted = performance.now();
      stop.abort(new Error("stopped by a user"));
    };
    await expect(
      rig.run(built, { hooks: quietHooks({ signal: stop.signal, onBytes }) }),
    ).rejects.toThrow("stopped by a user");
    expect(performance.now() - aborted).toBeLessThan(20_000);
    expect(await rig.download("/a/-/a-1.0.0.tgz", "npm")).toBeNull();
  });
});
