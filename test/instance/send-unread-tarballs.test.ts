import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TransferError } from "../../domain/failure.ts";
import type { UploadState } from "../../domain/outcome.ts";
import type { VersionsStatement } from "../../domain/sync-versions.ts";
import { type Fault, startProxy } from "../rigs/servers/proxy.ts";
import { clientOf, quietHooks, settle } from "../rigs/transfer/instance-fixture.ts";
import {
  artifactOf,
  type Built,
  npmVersion,
} from "../rigs/transfer/package-copy-fixture.ts";
import {
  NPM,
  startVersionSender,
  type VersionSender,
} from "../rigs/transfer/version-sender-rig.ts";

const MIB = 1024 * 1024;

let rig: VersionSender;

beforeEach(async () => {
  rig = await startVersionSender();
});
afterEach(() => rig.stop());

describe("a tarball without a known sha256", () => {
  const CAPABILITIES = {
    product: "artifact-replication",
    version: 1,
    name: "older",
    limits: {},
    repositoryTypes: ["NPM"],
  };
  const older: Fault = {
    kind: "answer",
    status: 200,
    body: JSON.stringify({ code: 0, message: null, data: CAPABILITIES, traceId: "" }),
  };

  /** Describes a version as a remote registry does: its tarball has only a sha512, and no size. */
  function unreadOf({ stated, bytes }: Built, isStated = true) {
    const [[path = "", tarball = Buffer.alloc(0)] = []] = [...bytes];
    const sha512 = createHash("sha512").update(tarball).digest("hex");
    const digests = isStated ? { sha512 } : {};
    async function* chunks(from: number) {
      yield tarball.subarray(from);
    }
    return {
      artifact: {
        ...artifactOf(stated),
        digest: null,
        parts: [{ path, size: null, digests }],
      },
      source: {
        open: async (_artifact: unknown, _part: unknown, offset: number) => ({
          size: null,
          chunks: chunks(offset),
        }),
        damaged: (_part: unknown, found: string) =>
          new TransferError("digestMismatch", found),
      },
    };
  }

  it.each([
    ["a large tarball without a known sha256 is uploaded as it is read", 3 * MIB, null],
    ["a small tarball without a known sha256 is sent within a statement", 500, null],
    [
      "a large tarball without a known sha256 is read first for an older instance, then uploaded",
      3 * MIB,
      older,
    ],
    [
      "a small tarball without a known sha256 is read first for an older instance, then sent",
      500,
      older,
    ],
  ] as const)("%s", async (_name, length, answer) => {
    const built = npmVersion("lib", "1.0.0", { tarball: randomBytes(length) });
    const { artifact, source: registry } = unreadOf(built);
    rig.proxy.fault = ({ path }) => (path.endsWith("/capabilities") ? answer : null);
    const fresh = clientOf(rig.proxy.url);
    const to = {
      content: rig.source.source,
      source: registry,
      target: fresh,
      remote: NPM,
      type: "NPM",
    } as const;
    const { kinds } = await settle([{ artifact, mayHaveSent: false, uploads: [] }], to);
    await fresh.close();
    expect(kinds).toEqual(["sent"]);
    await rig.expectThere([built]);
  });

  /** Sends a tarball whose chunks take longer than the slice of a batch; `uploads`: those of the batch before. */
  async function sendSlowly(
    { artifact, source }: ReturnType<typeof unreadOf>,
    uploads: UploadState[],
  ) {
    const { outcomes, states } = await settle(
      [{ artifact, mayHaveSent: false, uploads }],
      {
        content: rig.source.source,
        source,
        target: clientOf(rig.proxy.url),
        remote: NPM,
        type: "NPM",
        hooks: quietHooks({ slice: { isOver: () => true, whole: false } }),
      },
    );
    return { result: outcomes[0]?.result, states: states.slice(-1) };
  }

  it("an upload that an instance loses between two batches counts as a try, and one that grows does not", async () => {
    const built = npmVersion("lib", "1.0.0", { tarball: randomBytes(11 * MIB) });
    const unread = unreadOf(built);
    const first = await sendSlowly(unread, []);
    expect(first.result).toEqual({ kind: "yielded", whole: false });
    expect(first.states).toMatchObject([{ offset: 4 * MIB }]);
    const lost = first.states.map((state) => ({ ...state, location: "lost" }));
    const again = await sendSlowly(unread, lost);
    expect(again.result).toMatchObject({
      kind: "again",
      reason: expect.stringContaining(`lost ${4 * MIB} bytes of the upload`),
      uploads: again.states,
    });
    const onwards = await sendSlowly(unread, again.states);
    expect(onwards.result).toEqual({ kind: "yielded", whole: false });
    expect(onwards.states).toMatchObject([{ offset: 8 * MIB }]);
    expect((await sendSlowly(unread, onwards.states)).result).toEqual({ kind: "sent" });
    await rig.expectThere([built]);
  });

  it("a large tarball without any digest waits for a batch without a time limit", async () => {
    const built = npmVersion("lib", "1.0.0", { tarball: randomBytes(9 * MIB) });
    const { result } = await sendSlowly(unreadOf(built, false), []);
    expect(result).toEqual({ kind: "yielded", whole: true });
  });

  it("a tarball is read before it is declared to an older instance, which gets its sha256 and size", async () => {
    const built = npmVersion("lib", "1.0.0");
    const { artifact, source: registry } = unreadOf(built);
    const seen = await startProxy(rig.target.url, {
      keepBodies: (path) => path.includes("/versions/"),
    });
    seen.fault = ({ path }) => (path.endsWith("/capabilities") ? older : null);
    const fresh = clientOf(seen.url);
    await settle([{ artifact, mayHaveSent: false, uploads: [] }], {
      content: rig.source.source,
      source: registry,
      target: fresh,
      remote: NPM,
      type: "NPM",
    });
    await fresh.close();
    await seen.stop();
    const bodies = seen.requests.flatMap(({ body }) =>
      body.length > 0 ? [Buffer.concat(body)] : [],
    );
    const statements = bodies.map(
      (body) =>
        JSON.parse(
          body.toString("utf8", 4, 4 + body.readUInt32BE(0)),
        ) as VersionsStatement,
    );
    const {
      digest,
      files: [file],
    } = built.stated;
    const told = {
      digest,
      files: [expect.objectContaining({ sha256: file?.sha256, size: file?.size })],
    };
    expect(statements.map(({ versions }) => versions)).toEqual([
      [expect.objectContaining(told)],
      [expect.objectContaining(told)],
    ]);
  });
});
