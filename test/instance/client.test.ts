import { createHash } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findProject } from "../../db/content/projects.ts";
import { findRepository, insertRepository } from "../../db/content/repositories.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import {
  clientOf,
  quietHooks,
  REMOTE,
  startInstance,
  type Instance,
} from "../rigs/transfer/instance-fixture.ts";
import { DATES, npmVersion } from "../rigs/transfer/package-copy-fixture.ts";

let target: Instance;
const servers: Server[] = [];

beforeEach(async () => {
  target = await startInstance();
});

afterEach(async () => {
  await target.stop();
  target.remove();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Starts a server that answers as given, on a free port, and returns its URL. */
async function serverThat(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("ensureRepository", () => {
  it("ensureRepository creates a project and a repository at another instance, once", async () => {
    const client = clientOf(target.url);
    expect(await client.ensureRepository(REMOTE, "GENERIC")).toEqual({
      created: true,
      empty: true,
    });
    expect(await client.ensureRepository(REMOTE, "GENERIC")).toEqual({
      created: false,
      empty: true,
    });
    expect(findProject(target.db, REMOTE.projectId)).not.toBeNull();
    expect(findRepository(target.db, REMOTE.projectId, REMOTE.repoName)).toMatchObject({
      type: "GENERIC",
      category: "LOCAL",
    });
    await client.close();
  });

  it.each([
    [
      "of another type",
      { type: "NPM", category: "LOCAL", url: null },
      /files.*hosted NPM.*hosted GENERIC/,
    ],
    [
      "that is linked",
      { type: "GENERIC", category: "REMOTE", url: "http://elsewhere.test" },
      /files.*linked GENERIC/,
    ],
  ] as const)(
    "ensureRepository fails if the target has a repository of this name %s",
    async (_name, { type, category, url }, reason) => {
      const client = clientOf(target.url);
      await client.ensureRepository({ ...REMOTE, repoName: "other" }, "GENERIC");
      const rest = {
        public: false,
        description: null,
        displayName: null,
        username: null,
        secret: null,
        certificate: null,
        insecureSkipVerify: false,
      };
      insertRepository(
        target.db,
        {
          projectId: REMOTE.projectId,
          name: REMOTE.repoName,
          type,
          category,
          url,
          ...rest,
        },
        { user: "u", now: 1 },
      );
      await expect(client.ensureRepository(REMOTE, "GENERIC")).rejects.toMatchObject({
        name: "TransferError",
        kind: "invalid",
        retryable: false,
        message: expect.stringMatching(reason),
      });
      await client.close();
    },
  );

  it("ensureRepository refuses invalid names, and types that the target does not support", async () => {
    const client = clientOf(target.url);
    await expect(
      client.ensureRepository({ projectId: "../x", repoName: "files" }, "GENERIC"),
    ).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("projectId"),
    });
    await expect(
      client.ensureRepository({ projectId: "p1", repoName: "1" }, "GENERIC"),
    ).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("repoName"),
    });
    await expect(client.ensureRepository(REMOTE, "RPM")).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("RPM"),
    });
    await client.close();
  });
});

describe("features of newer instances", () => {
  const hooks = quietHooks({ signal: AbortSignal.timeout(60_000) });
  const content = Buffer.alloc(3000, "x");
  const sha512 = createHash("sha512").update(content).digest("hex");

  async function* bytes() {
    yield content;
  }

  it("a client ignores unknown features of a later release, and finds none at an older instance", async () => {
    const capabilities = {
      product: "artifact-replication",
      version: 1,
      name: "n",
      limits: {},
      repositoryTypes: [],
    };
    const answers = [
      capabilities,
      { ...capabilities, features: ["teleport", "uploadsWithoutDigest", 7] },
    ];
    const found = [];
    for (const data of answers) {
      const client = clientOf(
        await serverThat((_, answer) =>
          answer.end(JSON.stringify({ code: 0, message: null, data, traceId: "" })),
        ),
      );
      const { features } = await client.capabilities();
      found.push([
        features,
        (await client.feature("uploadsWithoutDigest")) !== null,
        (await client.feature("versionsByOtherDigests")) !== null,
      ]);
      await client.close();
    }
    expect(found).toEqual([
      [[], false, false],
      [["uploadsWithoutDigest"], true, false],
    ]);
  });

  it("an upload to an instance can start without a digest, and its end returns the sha256", async () => {
    const client = clientOf(target.url);
    const uploads = await client.feature("uploadsWithoutDigest");
    const session = await uploads?.startUpload({}, hooks.signal);
    if (!uploads || !session) throw new Error("this instance has the feature");
    await client.appendUpload(session, content.length, bytes(), hooks);
    const told = {
      id: session.id,
      offset: 3000,
      done: true,
      sha256: sha256(content),
      size: 3000,
    };
    expect(
      await uploads.finishUpload(session.id, { sha512 }, 3000, hooks.signal),
    ).toEqual(told);
    expect(
      await uploads.startUpload({ sha256: sha256(content), size: null }, hooks.signal),
    ).toEqual({
      id: "",
      offset: 3000,
      done: true,
    });
    await client.close();
  });

  it("an upload that started without a digest is refused if its content does not match that at its end", async () => {
    const client = clientOf(target.url);
    const uploads = await client.feature("uploadsWithoutDigest");
    const session = await uploads?.startUpload({ size: 3000 }, hooks.signal);
    if (!uploads || !session) throw new Error("this instance has the feature");
    await client.appendUpload(session, content.length, bytes(), hooks);
    const ended = uploads.finishUpload(
      session.id,
      { sha1: "0".repeat(40) },
      3000,
      hooks.signal,
    );
    await expect(ended).rejects.toMatchObject({
      kind: "digestMismatch",
      message: expect.stringContaining("sha1"),
    });
    expect(await client.uploadSession(session.id, hooks.signal)).toBeNull();
    await client.close();
  });

  it("files and versions can be declared to another instance by digests other than sha256", async () => {
    const client = clientOf(target.url);
    const calls = await client.feature("versionsByOtherDigests");
    await client.ensureRepository(REMOTE, "GENERIC");
    await client.ensureRepository({ ...REMOTE, repoName: "npm" }, "NPM");
    const rules = { conflictStrategy: "SKIP", includeMetadata: true } as const;
    const unread = { sha256: null, size: null, sha512 } as const;
    const file = {
      path: "/f",
      metadata: {},
      attached: false,
      ...DATES,
      ...unread,
    } as const;
    expect(
      await calls?.sendFiles(
        REMOTE,
        { type: "GENERIC", ...rules, files: [file] },
        [],
        hooks,
      ),
    ).toEqual([{ result: "need" }]);
    const { stated } = npmVersion("lib", "1.0.0", { tarball: content });
    const version = {
      ...stated,
      digest: null,
      files: stated.files.map((each) => ({ ...each, ...unread })),
    };
    const statement = {
      type: "NPM" as const,
      ...rules,
      contents: [],
      versions: [version],
    };
    const answer = await calls?.sendVersions(
      { ...REMOTE, repoName: "npm" },
      statement,
      [],
      hooks,
    );
    expect(answer).toEqual({
      versions: [{ result: "need", files: [], paths: ["/lib/-/lib-1.0.0.tgz"] }],
      damaged: [],
    });
    await client.close();
  });
});
