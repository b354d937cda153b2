import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstanceClient } from "../../activities/registries/instance/client.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { startProxy as startFaultProxy } from "../rigs/servers/proxy.ts";
import {
  clientOf,
  copy,
  createSource,
  quietHooks,
  REMOTE,
  type SourceFile,
  startInstance,
  startProxy,
  type Instance,
} from "../rigs/transfer/instance-fixture.ts";

const MIB = 1024 * 1024;

let source: ReturnType<typeof createSource>;
let target: Instance;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let client: InstanceClient;
let full = false;

beforeEach(async () => {
  full = false;
  source = createSource();
  target = await startInstance({ fullDisk: () => full });
  proxy = await startProxy(target.port);
  const maker = clientOf(target.url);
  await maker.ensureRepository(REMOTE, "GENERIC");
  await maker.close();
  client = clientOf(proxy.url);
});

afterEach(async () => {
  await client.close();
  await proxy.close();
  await target.stop();
  target.remove();
  await source.close();
});

const run = (files: SourceFile[], options: Partial<Parameters<typeof copy>[1]> = {}) =>
  copy(files, { content: source.source, target: client, ...options });

async function expectCopies(files: SourceFile[]): Promise<void> {
  const found = await Promise.all(
    files.map(async ({ fullPath }) =>
      sha256((await target.fetchFile(fullPath)) ?? "missing"),
    ),
  );
  expect(found).toEqual(files.map((file) => file.sha256));
}

const seed = (count: number, size: number) =>
  source.addAll(
    Array.from({ length: count }, (_, i) => ({
      fullPath: `/${i}`,
      bytes: randomBytes(size),
    })),
  );

describe("a silent target", () => {
  it.each([
    ["the start of the upload", /POST .*\/uploads$/],
    ["a chunk of the upload", /PATCH .*\/uploads\//],
    ["the end of the upload", /PUT .*\/uploads\//],
    ["the statement of files", /POST .*\/files\//],
  ])(
    "a file is to be tried again if the target is silent at %s, and the next attempt succeeds",
    async (_, hung) => {
      const [file] = await seed(1, 9 * MIB);
      if (!file) throw new Error("no file was added");
      const silent = await startFaultProxy(target.url);
      const impatient = clientOf(silent.url, { idleTimeoutMs: 2_000 });
      const patient = clientOf(silent.url);
      silent.fault = ({ method, path }) =>
        hung.test(`${method} ${path}`) ? { kind: "hang" } : null;
      const { outcomes, states } = await run([file], { target: impatient });
      expect(outcomes[0]?.result).toMatchObject({
        kind: "again",
        reason: expect.stringContaining("was silent for 2 s"),
        unreachable: true,
      });
      silent.fault = () => null;
      expect(
        (
          await run([file], {
            target: patient,
            uploads: states.slice(-1),
            mayHaveSent: true,
          })
        ).kinds,
      ).toEqual(["sent"]);
      await expectCopies([file]);
      await Promise.all([impatient.close(), patient.close()]);
      await silent.stop();
    },
  );
});

describe("a connection that is cut", () => {
  it("a connection that breaks during a batch leaves no half-written file, and a second try completes it", async () => {
    const files = await seed(40, 200_000);
    proxy.state.cutAfter = MIB;
    const first = await run(files);
    expect(proxy.state.cuts).toBeGreaterThan(0);
    expect(new Set(first.kinds)).toEqual(new Set(["again"]));
    for (const [i, outcome] of first.outcomes.entries()) {
      expect(outcome?.result).toMatchObject({
        reason: expect.stringMatching(new RegExp(`^/${i}: .*broke off`)),
        throttled: false,
        notBefore: null,
      });
      expect(outcome?.parts.node).toEqual({ success: 0, skip: 0, failed: 0 });
    }
    proxy.state.cutAfter = Infinity;
    const second = await run(files, { mayHaveSent: true });
    expect(new Set(second.kinds)).toEqual(new Set(["sent"]));
    await expectCopies(files);
  });

  it("a connection that breaks during an upload costs only the bytes that were not confirmed", async () => {
    const files = await seed(1, 150 * MIB);
    proxy.state.cutAfter = 100 * MIB;
    const first = await run(files);
    expect(first.outcomes[0]?.result).toMatchObject({
      kind: "again",
      uploads: [{ digest: `sha256:${files[0]?.sha256}`, offset: 64 * MIB }],
    });
    expect(first.states.at(-1)?.offset).toBe(64 * MIB);

    proxy.state.cutAfter = Infinity;
    const { result } = first.outcomes[0] ?? {};
    const second = await run(files, {
      mayHaveSent: true,
      uploads: result?.kind === "again" ? result.uploads : [],
    });
    expect(second.kinds).toEqual(["sent"]);
    expect(second.bytes).toBeLessThan((150 - 64) * MIB + 1);
    expect(second.outcomes[0]?.parts.blob).toEqual({ success: 1, skip: 0, failed: 0 });
    await expectCopies(files);
  });

  it("a connection that breaks during the first chunk of an upload keeps the bytes that arrived", async () => {
    const files = await seed(1, 40 * MIB);
    proxy.state.cutAfter = 30 * MIB;
    const { outcomes } = await run(files);
    const { result } = outcomes[0] ?? {};
    expect(result).toMatchObject({ kind: "again", uploads: [{ offset: 0 }] });
    proxy.state.cutAfter = Infinity;
    const second = await run(files, {
      mayHaveSent: true,
      uploads: result?.kind === "again" ? result.uploads : [],
    });
    expect(second.kinds).toEqual(["sent"]);
    expect(second.bytes).toBeLessThan(20 * MIB);
    await expectCopies(files);
  });
});

describe("a target that restarts in the middle of an upload", () => {
  it("an upload continues at the confirmed offset after a restart of the target", async () => {
    const files = await seed(1, 130 * MIB);
    let restart: Promise<void> | undefined;
    const { dataDir, port } = target;
    const onUpload = ({ offset }: { offset: number }) => {
      if (offset === 64 * MIB) restart ??= target.stop();
    };
    const first = await run(files, { hooks: quietHooks({ onUpload }) });
    await restart;
    const { result } = first.outcomes[0] ?? {};
    expect(result).toMatchObject({ kind: "again", uploads: [{ offset: 64 * MIB }] });
    expect((await run(files)).outcomes[0]?.result).toMatchObject({
      kind: "again",
      reason: expect.stringContaining("/0: "),
    });

    target = await startInstance({ dataDir, port });
    const second = await run(files, {
      mayHaveSent: true,
      uploads: result?.kind === "again" ? result.uploads : [],
    });
    expect(second.kinds).toEqual(["sent"]);
    expect(second.bytes).toBeLessThanOrEqual((130 - 64) * MIB);
    await expectCopies(files);
  });

  it("a file is sent from its beginning when the target no longer knows the upload", async () => {
    const files = await seed(1, 2 * MIB);
    const uploads = [
      {
        digest: `sha256:${files[0]?.sha256}`,
        location: "0123456789abcdef01234567",
        offset: MIB,
      },
    ];
    const { kinds, bytes } = await run(files, { uploads });
    expect(kinds).toEqual(["sent"]);
    expect(bytes).toBe(2 * MIB);
  });
});

describe("an upload to which another client wrote", () => {
  it("an upload that has another client's bytes is refused by its digest, and succeeds from the start", async () => {
    const files = await seed(1, 3 * MIB);
    const signal = new AbortController().signal;
    const session = await client.startUpload(
      { sha256: files[0]?.sha256 ?? "", size: 3 * MIB },
      signal,
    );
    await client.appendUpload(session, MIB, pieces(randomBytes(MIB)), quietHooks());
    const uploads = [
      { digest: `sha256:${files[0]?.sha256}`, location: session.id, offset: MIB },
    ];
    const first = await run(files, { uploads });
    expect(first.outcomes[0]?.result).toMatchObject({
      kind: "again",
      maxTries: 3,
      uploads: [],
      reason: expect.stringContaining("/0: "),
    });
    expect(await client.uploadSession(session.id, signal)).toBeNull();
    expect(await target.fetchFile("/0")).toBeNull();
    expect((await run(files)).kinds).toEqual(["sent"]);
    await expectCopies(files);
  });
});

describe("a target whose disk is full", () => {
  it("files fail with the reason that the target's disk is full, and are sent once it has space", async () => {
    const files = [
      ...(await seed(3, 1000)),
      await source.add("/big", randomBytes(5 * MIB)),
    ];
    full = true;
    const { outcomes } = await run(files);
    for (const [i, outcome] of outcomes.entries()) {
      expect(outcome?.result).toMatchObject({
        kind: "failed",
        conflict: false,
        stopsCluster: false,
      });
      expect(outcome?.result).toMatchObject({
        reason: expect.stringMatching(
          new RegExp(`^${files[i]?.fullPath}: .*disk.* full.*free space`),
        ),
      });
      expect(await target.fetchFile(files[i]?.fullPath ?? "")).toBeNull();
    }
    full = false;
    expect((await run(files)).kinds).toEqual(["sent", "sent", "sent", "sent"]);
    await expectCopies(files);
  });
});

describe("an unusable target", () => {
  it("files fail with the repository's name when the target's repository is missing", async () => {
    const files = await seed(2, 10);
    const { outcomes } = await run(files, {
      remote: { projectId: "copies", repoName: "nowhere" },
    });
    expect(outcomes[0]?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(/^\/0: .*copies\/nowhere.*not found/),
    });
  });

  it("files are tried again when the target does not answer", async () => {
    const files = await seed(2, 10);
    const other = clientOf("http://127.0.0.1:1");
    const { outcomes } = await run(files, { target: other });
    expect(outcomes[1]?.result).toMatchObject({
      kind: "again",
      reason: expect.stringMatching(/^\/1: .*ECONNREFUSED/),
      uploads: [],
    });
    await other.close();
  });

  it("files fail when the target refuses the password", async () => {
    const files = await seed(1, 10);
    const other = clientOf(target.url, { password: "wrong" });
    const { outcomes } = await run(files, { target: other });
    expect(outcomes[0]?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(/401.*password/),
    });
    await other.close();
  });
});

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
