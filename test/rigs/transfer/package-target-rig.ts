import { haveBlobs } from "../../../db/content/blobs.ts";
import { getNode } from "../../../db/content/nodes.ts";
import { findRepository } from "../../../db/content/repositories.ts";
import { findPackage, findVersion } from "../../../db/packages/versions.ts";
import {
  encodeStatement,
  FILES_MEDIA_TYPE,
  type StatedFile,
} from "../../../domain/sync.ts";
import {
  type StatedVersion,
  VERSIONS_MEDIA_TYPE,
} from "../../../domain/sync-versions.ts";
import { addFollower } from "../db/rows.ts";
import { sha256 } from "../api/content-fixture.ts";
import { type Instance, startInstance } from "./instance-fixture.ts";
import { type Built, DATES, frame } from "./package-copy-fixture.ts";
import { callProtocol, createRepository, LOGIN } from "./protocol-fixture.ts";

type Changes = Parameters<typeof frame>[3];

export type PackageTarget = Awaited<ReturnType<typeof startPackageTarget>>;

/**
 * Starts an instance to which versions of packages are declared. `renew` gives each test an empty Maven and an empty
 * npm repository, `repos.maven` and `repos.npm`.
 */
export async function startPackageTarget() {
  const target = await startInstance();
  addFollower(target.db, "copies");
  const repos = { maven: "", npm: "" };
  let count = 0;

  const call = (
    method: string,
    path: string,
    body: Uint8Array | string,
    headers: Record<string, string> = {},
  ) => callProtocol(target, method, path, body, headers);
  const post = (repository: string, body: Uint8Array) =>
    call("POST", `/versions/copies/${repository}`, body, {
      "content-type": VERSIONS_MEDIA_TYPE,
    });

  return {
    target,
    repos,
    call,
    post,
    async renew(): Promise<void> {
      count += 1;
      repos.maven = `maven${count}`;
      repos.npm = `npm${count}`;
      await createRepository(target, repos.maven, "MAVEN");
      await createRepository(target, repos.npm, "NPM");
    },
    async stop(): Promise<void> {
      await target.stop();
      target.remove();
    },
    /** Declares versions, with all their contents attached unless `contents` says otherwise; returns the answers. */
    async stateAll(
      type: "MAVEN" | "NPM",
      built: Built[],
      changes: Changes = {},
      contents = built.flatMap(({ bytes }) => [...bytes.values()]),
    ): Promise<unknown[]> {
      const versions = built.map(({ stated }) => stated);
      const { status, data, message } = await post(
        type === "MAVEN" ? repos.maven : repos.npm,
        frame(type, versions, contents, changes),
      );
      if (status !== 200) throw new Error(`${status} ${message}`);
      return (data as { versions: unknown[] }).versions;
    },
    /** Declares files one by one, with their contents attached. */
    async stateFiles(
      files: StatedFile[],
      contents: Buffer[],
      changes: object = {},
      repository = repos.maven,
      type = "MAVEN",
    ) {
      const head = encodeStatement({
        type,
        conflictStrategy: "SKIP",
        includeMetadata: true,
        files,
        ...changes,
      });
      const body = Buffer.concat([head, ...contents]);
      const path = `/files/copies/${repository}`;
      const { data, status, code, message } = await call("POST", path, body, {
        "content-type": FILES_MEDIA_TYPE,
      });
      return {
        status,
        code,
        message,
        files: (data as { files: unknown[] } | null)?.files ?? [],
      };
    },
    ...createReaders(target, repos),
  };
}

/** Reads packages of the target: from its database, or through its APIs as the clients of npm and Maven do. */
function createReaders(target: Instance, repos: { maven: string; npm: string }) {
  const repositoryOf = (name: string) =>
    findRepository(target.db, "copies", name)?.id ?? 0;

  return {
    nodeAt: (name: string, path: string) =>
      getNode(target.db, repositoryOf(name), path, Date.now()),
    rowOf(repository: string, name: string, version: string) {
      const owner = findPackage(target.db, repositoryOf(repository), name);
      return owner && findVersion(target.db, owner.id, version);
    },
    events: (repository: string) =>
      target.db.$client
        .prepare(
          "SELECT kind, subject, version FROM event WHERE repo_name = ? ORDER BY seq",
        )
        .all(repository) as { kind: string; subject: string; version: string | null }[],
    isThere: (content: Buffer) =>
      haveBlobs(target.db, [sha256(content)], Date.now()).size > 0,
    async packument(name: string): Promise<{
      "dist-tags": Record<string, string>;
      versions: Record<string, Record<string, unknown> & { dist: { tarball: string } }>;
    } | null> {
      const answer = await fetch(
        `${target.url}/npm/copies/${repos.npm}/${name.replace("/", "%2f")}`,
        {
          headers: LOGIN,
        },
      );
      const body = await answer.json();
      return answer.status === 404 ? null : (body as never);
    },
    async metadataOf(folder: string) {
      const url = `${target.url}/maven/copies/${repos.maven}${folder}/maven-metadata.xml`;
      const answer = await fetch(url, { headers: LOGIN });
      return { status: answer.status, text: await answer.text() };
    },
    async download(path: string): Promise<Buffer | null> {
      const answer = await fetch(`${target.url}/maven/copies/${repos.maven}${path}`, {
        headers: LOGIN,
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      return answer.status === 200 ? bytes : null;
    },
  };
}

/** Returns the version with another path for its first file. */
export function changePath(version: StatedVersion, path: string): StatedVersion {
  return {
    ...version,
    files: version.files.map((file, i) => (i === 0 ? { ...file, path } : file)),
  };
}

export function fileAt(
  path: string,
  content: Buffer,
  changes: Partial<StatedFile> = {},
): StatedFile {
  return {
    path,
    size: content.length,
    sha256: sha256(content),
    metadata: {},
    attached: true,
    ...DATES,
    ...changes,
  };
}
