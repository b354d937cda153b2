import { createHash, randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstanceClient } from "../../activities/registries/instance/client.ts";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { UNHURRIED } from "../../domain/slice.ts";
import { UNLIMITED } from "../../activities/transfer/throttle.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import { TransferError } from "../../domain/failure.ts";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import type { StatedType, VersionsStatement } from "../../domain/sync-versions.ts";
import type { UploadState } from "../../domain/outcome.ts";
import { ADMIN, basic } from "../rigs/api/api-fixture.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import {
  clientOf,
  createSource,
  settle,
  type Settled,
  startInstance,
  type Instance,
} from "../rigs/transfer/instance-fixture.ts";
import { artifactOf, type Built, mavenVersion, npmVersion } from "../rigs/transfer/package-copy-fixture.ts";
import { startProxy, type Fault, type FaultProxy } from "../rigs/servers/proxy.ts";

const MIB = 1024 * 1024;
const MAVEN = { projectId: "copies", repoName: "maven" };
const NPM = { projectId: "copies", repoName: "npm" };

let source: ReturnType<typeof createSource>;
let target: Instance;
let proxy: FaultProxy;
let client: InstanceClient;

beforeEach(async () => {
  source = createSource();
  target = await startInstance();
  proxy = await startProxy(target.url);
  client = clientOf(proxy.url);
  await client.ensureRepository(MAVEN, "MAVEN");
  await client.ensureRepository(NPM, "NPM");
  await client.capabilities();
  proxy.clear();
});

afterEach(async () => {
  await client.close();
  await proxy.stop();
  await target.stop();
  target.remove();
  await source.close();
});

/** Puts the contents into the source's store. */
async function store(...built: Built[]): Promise<Built[]> {
  const contents = built.flatMap(({ bytes }) => [...bytes.values()].map((content) => ({ content })));
  await source.store.putAll(contents, (blobs) => putBlobs(source.db, blobs, Date.now()));
  return built;
}

type Options = Partial<Pick<Settled, "rules" | "hooks" | "target">> & {
  mayHaveSent?: boolean;
  uploads?: UploadState[];
};

/** Copies versions and answers what was reported, in the order of the versions, and what moved. */
async function run(
  built: Built[],
  { mayHaveSent = false, uploads = [], target: to = client, ...options }: Options = {},
) {
  const type: StatedType = built[0]?.stated.document?.["packagings"] ? "MAVEN" : "NPM";
  const versions = built.map(({ stated }) => ({ artifact: artifactOf(stated), mayHaveSent, uploads }));
  const settled = await settle(versions, {
    ...options,
    content: source.source,
    target: to,
    remote: type === "MAVEN" ? MAVEN : NPM,
    type,
  });
  return { ...settled, reasons: settled.outcomes.map((outcome) => JSON.stringify(outcome?.result)) };
}

async function download(path: string, type: "maven" | "npm"): Promise<Buffer | null> {
  const answer = await fetch(`${target.url}/${type}/copies/${type}${path}`, {
    headers: { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return answer.ok ? bytes : null;
}

/** Fetched as Maven's and npm's clients do, not asked of the one who wrote them. */
async function expectThere(built: Built[]): Promise<void> {
  for (const { stated, bytes } of built) {
    for (const [path, content] of bytes)
      expect(sha256((await download(path, stated.document?.["packagings"] ? "maven" : "npm")) ?? "missing")).toBe(
        sha256(content),
      );
  }
}

const fails = (fault: Fault, path: RegExp, times = 1) => {
  let left = times;
  proxy.fault = (request) => (path.test(request.path) && left-- > 0 ? fault : null);
};
const quiet = {
  signal: new AbortController().signal,
  slice: UNHURRIED,
  throttle: UNLIMITED,
  onUpload: () => undefined,
  onBytes: () => undefined,
};

describe("copying versions to another instance", () => {
  it("makes each there with all its files, small, empty or large, byte by byte", async () => {
    const files = {
      ".jar": randomBytes(3 * MIB),
      "-sources.jar": randomBytes(200_000),
      "-empty.txt": Buffer.alloc(0),
      ".jar.asc": randomBytes(300),
    };
    const built = await store(
      mavenVersion("com.acme:lib", "1.0", files),
      mavenVersion("com.acme:lib", "1.1"),
      mavenVersion("org.x:parent", "7", {}, "pom"),
    );
    const { outcomes, bytes, states } = await run(built);
    await expectThere(built);
    const sizes = built.map(({ bytes: contents }) =>
      [...contents.values()].reduce((sum, { length }) => sum + length, 0),
    );
    expect(outcomes).toEqual(
      built.map(({ stated }, at) => ({
        result: { kind: "sent" },
        digest: stated.digest,
        size: sizes[at],
        parts: { blob: { success: 0, skip: 0, failed: 0 }, node: { success: stated.files.length, skip: 0, failed: 0 } },
        bytesSent: sizes[at],
      })),
    );
    expect(bytes).toBe(sizes.reduce((sum, size) => sum + size));
    expect(states.at(-1)).toMatchObject({ digest: `sha256:${sha256(files[".jar"])}`, offset: 3 * MIB });
  });

  it("sends hundreds of small versions in few requests, and finds nothing to do in fewer", async () => {
    const built = await store(
      ...Array.from({ length: 300 }, (_, i) => npmVersion(`lib${i % 20}`, `1.${i}.0`, { tarball: randomBytes(4096) })),
    );
    expect((await run(built)).kinds.every((kind) => kind === "sent")).toBe(true);
    expect(proxy.requests.length).toBeLessThan(10);
    proxy.clear();
    const again = await run(built);
    expect(again.kinds.every((kind) => kind === "same")).toBe(true);
    expect(again.bytes).toBe(0);
    expect(proxy.requests.length).toBeLessThan(5);
    await expectThere(built.slice(0, 20));
  });

  it("copies a version of thousands of files and more bytes than one request takes", async () => {
    const files = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`-part${i}.bin`, randomBytes(4096)]));
    const [built] = await store(mavenVersion("com.acme:many", "1.0", files));
    if (!built) throw new Error("nothing was built");
    const { outcomes } = await run([built]);
    expect(outcomes[0]).toMatchObject({
      result: { kind: "sent" },
      parts: { node: { success: 3001 } },
      bytesSent: expect.any(Number),
    });
    expect(proxy.requests.every(({ bytes }) => bytes < 4 * MIB)).toBe(true);
    await expectThere([{ ...built, bytes: new Map([...built.bytes].filter((_, i) => i % 100 === 0)) }]);
  }, 60_000);

  it("says clearly what is too large to be told, and sends the others", async () => {
    const large = npmVersion("large", "1.0.0", { more: { readme: "x".repeat(SYNC_LIMITS.versionBytes) } });
    const built = await store(large, npmVersion("small", "1.0.0"));
    const { kinds, reasons } = await run(built);
    expect(kinds).toEqual(["failed", "sent"]);
    expect(reasons[0]).toMatch(/large 1\.0\.0: .* has \d+ bytes; .* accepts at most 16777216/);
  });

  it("uploads a content that versions share once", async () => {
    const shared = randomBytes(2 * MIB);
    const built = await store(
      mavenVersion("com.acme:a", "1", { ".jar": shared }),
      mavenVersion("com.acme:b", "1", { ".jar": shared }),
    );
    const { kinds, bytes } = await run(built);
    expect(kinds).toEqual(["sent", "sent"]);
    expect(bytes).toBeLessThan(shared.length + 2000);
    await expectThere(built);
  });

  it("tells every byte of its bodies to the rate limit", async () => {
    const built = await store(
      mavenVersion("com.acme:a", "1", { ".jar": randomBytes(2 * MIB) }),
      mavenVersion("com.acme:b", "1"),
    );
    let allowed = 0;
    const { kinds } = await run(built, { hooks: { ...quiet, throttle: async (bytes) => ((allowed += bytes), bytes) } });
    const sent = proxy.requests
      .filter(({ path }) => /versions|uploads\/\w/.test(path))
      .reduce((sum, request) => sum + request.bytes, 0);
    expect(kinds).toEqual(["sent", "sent"]);
    expect(allowed).toBeLessThanOrEqual(sent);
    expect(allowed).toBeGreaterThan(sent - 1000);
  });
});

describe("a version that is there with other content", () => {
  let ours: Built;
  let theirs: Built;
  let others: Built[];

  beforeEach(async () => {
    theirs = npmVersion("lib", "1.0.0");
    ours = npmVersion("lib", "1.0.0");
    others = [npmVersion("lib", "1.1.0"), npmVersion("lib", "1.2.0", { tarball: randomBytes(2 * MIB) })];
    await store(theirs, ours, ...others);
    await run([theirs]);
  });

  it("stays under SKIP, and nothing of it is sent", async () => {
    const { outcomes, kinds } = await run([ours, ...others]);
    expect(kinds).toEqual(["skipped", "sent", "sent"]);
    expect(outcomes[0]).toMatchObject({ bytesSent: 0, parts: { node: { skip: 1 } } });
    await expectThere([theirs, ...others]);
  });

  it("stops the cluster under FAST_FAIL, and what has not begun is not begun", async () => {
    const { outcomes, kinds } = await run([ours, ...others], {
      rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true },
    });
    expect(kinds).toEqual(["failed", undefined, undefined]);
    expect(outcomes[0]?.result).toMatchObject({
      conflict: true,
      stopsCluster: true,
      reason: expect.stringMatching(/^lib 1\.0\.0: .* has other content there \(\/lib\/-\/lib-1\.0\.0\.tgz; sha256:/),
    });
    await expectThere([theirs]);
    expect(await download("/lib/-/lib-1.1.0.tgz", "npm")).toBeNull();
  });

  it("fails under OVERWRITE, since it must not change, and the others go on", async () => {
    const { outcomes, kinds } = await run([ours, ...others], {
      rules: { conflictStrategy: "OVERWRITE", includeMetadata: true },
    });
    expect(kinds).toEqual(["failed", "sent", "sent"]);
    expect(outcomes[0]?.result).toMatchObject({
      conflict: true,
      stopsCluster: false,
      reason: expect.stringMatching(
        /refuses it: lib@1\.0\.0 is published there with another tarball and must not change/,
      ),
    });
    await expectThere([theirs]);
  });

  it("of Maven stays as it is under SKIP, also in what it lacks", async () => {
    const pair = await store(
      mavenVersion("a.b:c", "1", { ".jar": randomBytes(9) }),
      mavenVersion("a.b:c", "1", { ".jar": randomBytes(8), "-sources.jar": randomBytes(7) }),
    );
    await run(pair.slice(0, 1));
    expect((await run(pair.slice(1))).kinds).toEqual(["skipped"]);
    expect(await download("/a/b/c/1/c-1-sources.jar", "maven")).toBeNull();
  });

  it("of Maven that only lacks files gets them and says how many", async () => {
    const jar = randomBytes(9);
    const pair = await store(
      mavenVersion("a.b:c", "1", { ".jar": jar }),
      mavenVersion("a.b:c", "1", { ".jar": jar, "-sources.jar": randomBytes(7) }),
    );
    await run(pair.slice(0, 1));
    const { outcomes } = await run(pair.slice(1));
    expect(outcomes[0]).toMatchObject({
      result: { kind: "sent" },
      parts: { node: { success: 1, skip: 2 } },
      bytesSent: 7,
    });
    await expectThere(pair);
  });
});

describe("what this execution may have sent before", () => {
  it("is a success when it is found equal", async () => {
    const built = await store(mavenVersion("a.b:c", "1"));
    await run(built);
    const { outcomes, bytes } = await run(built, {
      mayHaveSent: true,
      rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true },
    });
    expect(outcomes[0]).toMatchObject({ result: { kind: "sent" }, parts: { node: { success: 2, skip: 0 } } });
    expect(bytes).toBe(0);
  });
});

describe("a source that lost or damaged content", () => {
  it("fails those versions, says so, and sends the others", async () => {
    const jars = [100_000, 100_001, 3 * MIB, 3 * MIB + 1].map((size) => randomBytes(size));
    const built = await store(
      ...jars.map((jar, i) => mavenVersion("a.b:c", `${i}`, { ".jar": jar })),
      mavenVersion("a.b:c", "9"),
    );
    const at = (i: number) => blobFile(layout(source.dataDir), sha256(jars[i] ?? ""));
    for (const i of [0, 2]) rmSync(at(i));
    for (const i of [1, 3]) writeFileSync(at(i), randomBytes(jars[i]?.length ?? 0));
    const { kinds, reasons } = await run(built);
    expect(kinds).toEqual(["failed", "failed", "failed", "failed", "sent"]);
    for (const i of [0, 2]) expect(reasons[i]).toMatch(new RegExp(`a.b:c ${i}: .*not in the store`));
    for (const i of [1, 3]) expect(reasons[i]).toMatch(new RegExp(`a.b:c ${i}: .*damaged`));
    for (const i of [0, 1, 2, 3]) expect(await download(`/a/b/c/${i}/c-${i}.pom`, "maven")).toBeNull();
  });
});

describe("a target that is away, slow or full", () => {
  let built: Built[];

  beforeEach(async () => {
    built = await store(npmVersion("a", "1.0.0"), npmVersion("b", "1.0.0", { tarball: randomBytes(5 * MIB) }));
  });

  it.each<[string, Fault, object]>([
    ["cuts connections", { kind: "reset" }, { unreachable: true }],
    ["cuts bodies", { kind: "cutRequest", afterBytes: 50 }, {}],
    ["cuts answers", { kind: "cutAnswer", afterBytes: 20 }, {}],
    [
      "asks for patience",
      { kind: "answer", status: 429, headers: { "retry-after": "7" } },
      { throttled: true, notBefore: expect.any(Number) },
    ],
    ["is down behind its proxy", { kind: "answer", status: 503 }, {}],
  ])("that %s is tried again later, and then all is well", async (_, fault, result) => {
    fails(fault, /versions/, 1);
    const first = await run(built);
    expect(first.outcomes.map((outcome) => outcome?.result)).toMatchObject([
      { kind: "again", ...result },
      { kind: "again", ...result },
    ]);
    expect((await run(built, { mayHaveSent: true })).kinds).toEqual(["sent", "sent"]);
    await expectThere(built);
  });

  it("goes on with the upload of a big file where it was cut", async () => {
    fails({ kind: "cutRequest", afterBytes: 3 * MIB }, /uploads\/./);
    const first = await run(built.slice(1));
    const [again] = first.outcomes;
    expect(again?.result).toMatchObject({ kind: "again", uploads: [{ digest: built[1]?.stated.digest }] });
    proxy.clear();
    const uploads = again?.result.kind === "again" ? again.result.uploads : [];
    const { kinds } = await run(built.slice(1), { mayHaveSent: true, uploads });
    expect(kinds).toEqual(["sent"]);
    expect(
      proxy.requests.filter(({ method }) => method === "PATCH").reduce((sum, { bytes }) => sum + bytes, 0),
    ).toBeLessThan(3 * MIB);
    await expectThere(built.slice(1));
  });

  it("that answers something else is told as that", async () => {
    fails(
      {
        kind: "answer",
        status: 200,
        body: `{"code":0,"message":null,"data":{"versions":[{"result":"need","files":["${"0".repeat(64)}"]}],"damaged":[]}}`,
      },
      /versions/,
    );
    const { outcomes } = await run(built.slice(0, 1));
    expect(outcomes[0]?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("does not follow the replication protocol"),
    });
  });

  it("that knows no such repositories yet is told to be updated", async () => {
    const data = { ...(await client.capabilities()), repositoryTypes: ["GENERIC"] };
    fails({ kind: "answer", status: 200, body: JSON.stringify({ code: 0, message: null, data }) }, /capabilities/);
    const fresh = clientOf(proxy.url);
    const { outcomes } = await run(built.slice(0, 1), { target: fresh });
    await fresh.close();
    expect(outcomes[0]?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(/does not support NPM repositories: bring it to this release/),
    });
  });

  it("whose bytes arrive changed fails them three times at most", async () => {
    const [one] = built;
    const digest = one?.stated.files[0]?.sha256 ?? "";
    const body = JSON.stringify({
      code: 0,
      message: null,
      data: { versions: [{ result: "damaged" }], damaged: [digest] },
    });
    fails({ kind: "answer", status: 200, body }, /versions/);
    expect((await run(built.slice(0, 1))).outcomes[0]?.result).toMatchObject({
      kind: "again",
      maxTries: 3,
      reason: expect.stringContaining("arrived changed"),
    });
  });
});

describe("a tarball of which the source tells only a sha512", () => {
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

  /** As a registry elsewhere describes it. */
  function unreadOf({ stated, bytes }: Built) {
    const [[path = "", tarball = Buffer.alloc(0)] = []] = [...bytes];
    const digests = { sha512: createHash("sha512").update(tarball).digest("hex") };
    async function* chunks(from: number) {
      yield tarball.subarray(from);
    }
    return {
      artifact: { ...artifactOf(stated), digest: null, parts: [{ path, size: null, digests }] },
      source: {
        open: async (_artifact: unknown, _part: unknown, offset: number) => ({ size: null, chunks: chunks(offset) }),
        damaged: (_part: unknown, found: string) => new TransferError("digestMismatch", found),
      },
    };
  }

  it.each([
    ["is there when it was uploaded as it came", 3 * MIB, null],
    ["is there when it was sent behind a statement", 500, null],
    ["is read first for an instance of an older release, and then uploaded", 3 * MIB, older],
    ["is read first for an instance of an older release, and then sent behind a statement", 500, older],
  ] as const)("%s", async (_name, length, answer) => {
    const built = npmVersion("lib", "1.0.0", { tarball: randomBytes(length) });
    const { artifact, source: registry } = unreadOf(built);
    proxy.fault = ({ path }) => (path.endsWith("/capabilities") ? answer : null);
    const fresh = clientOf(proxy.url);
    const to = { content: source.source, source: registry, target: fresh, remote: NPM, type: "NPM" } as const;
    const { kinds } = await settle([{ artifact, mayHaveSent: false, uploads: [] }], to);
    await fresh.close();
    expect(kinds).toEqual(["sent"]);
    await expectThere([built]);
  });

  it("goes to an instance of an older release with the sha256, the size and the version's digest", async () => {
    const built = npmVersion("lib", "1.0.0");
    const { artifact, source: registry } = unreadOf(built);
    const seen = await startProxy(target.url, { keepBodies: (path) => path.includes("/versions/") });
    seen.fault = ({ path }) => (path.endsWith("/capabilities") ? older : null);
    const fresh = clientOf(seen.url);
    await settle([{ artifact, mayHaveSent: false, uploads: [] }], {
      content: source.source,
      source: registry,
      target: fresh,
      remote: NPM,
      type: "NPM",
    });
    await fresh.close();
    await seen.stop();
    const bodies = seen.requests.flatMap(({ body }) => (body.length > 0 ? [Buffer.concat(body)] : []));
    const statements = bodies.map(
      (body) => JSON.parse(body.toString("utf8", 4, 4 + body.readUInt32BE(0))) as VersionsStatement,
    );
    const {
      digest,
      files: [file],
    } = built.stated;
    const told = { digest, files: [expect.objectContaining({ sha256: file?.sha256, size: file?.size })] };
    expect(statements.map(({ versions }) => versions)).toEqual([
      [expect.objectContaining(told)],
      [expect.objectContaining(told)],
    ]);
  });
});

describe("an abort", () => {
  it("reaches the sockets within two seconds and leaves the rest unreported", async () => {
    const built = await store(npmVersion("a", "1.0.0", { tarball: randomBytes(20 * MIB) }));
    const stop = new AbortController();
    let aborted = 0;
    const onBytes = () => {
      if (aborted > 0) return;
      aborted = performance.now();
      stop.abort(new Error("stopped by a user"));
    };
    await expect(run(built, { hooks: { ...quiet, signal: stop.signal, onBytes } })).rejects.toThrow(
      "stopped by a user",
    );
    expect(performance.now() - aborted).toBeLessThan(2000);
    expect(await download("/a/-/a-1.0.0.tgz", "npm")).toBeNull();
  });
});
