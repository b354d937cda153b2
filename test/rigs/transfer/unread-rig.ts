import { createHash } from "node:crypto";
import { encodeStatement, FILES_MEDIA_TYPE } from "../../../domain/sync.ts";
import {
  type DescribedVersion,
  VERSIONS_MEDIA_TYPE,
} from "../../../domain/sync-versions.ts";
import { startInstance } from "./instance-fixture.ts";
import { type Built, DATES, frame } from "./package-copy-fixture.ts";
import { callProtocol, createRepository } from "./protocol-fixture.ts";

type Type = "GENERIC" | "MAVEN" | "NPM";
export type Algorithm = "sha512" | "sha1" | "md5";
export type Facts = Record<string, unknown>;

export type UnreadTarget = Awaited<ReturnType<typeof startUnreadTarget>>;

/**
 * Starts an instance to which contents without a known sha256 are declared. `renew` gives each test an empty
 * repository.
 */
export async function startUnreadTarget() {
  const target = await startInstance();
  let count = 0;
  const repository = () => `r${count}`;

  return {
    target,
    repository,
    async renew(type: Type): Promise<void> {
      count += 1;
      await createRepository(target, repository(), type);
    },
    async stop(): Promise<void> {
      await target.stop();
      target.remove();
    },
    read: (path: string) =>
      target.fetchFile(path, { projectId: "copies", repoName: repository() }),
    /**
     * Uploads a content of which the target knows only the digests `known`; returns the sha256 and size
     * that the target found.
     */
    async upload(
      content: Buffer,
      known: object = {},
    ): Promise<{ sha256: string; size: number }> {
      const { data } = await callProtocol(target, "POST", "/uploads", "{}");
      const { id } = data as { id: string };
      await callProtocol(target, "PATCH", `/uploads/${id}`, content, {
        "upload-offset": "0",
      });
      const ended = await callProtocol(
        target,
        "PUT",
        `/uploads/${id}`,
        JSON.stringify(known),
      );
      const { sha256, size } = ended.data as { sha256: string; size: number };
      return { sha256, size };
    },
    async stateFiles(files: Facts[], changes: Facts = {}) {
      const whole = files.map((file) => ({
        path: "/a/f",
        metadata: {},
        attached: false,
        ...DATES,
        ...file,
      }));
      const statement = {
        type: "GENERIC",
        conflictStrategy: "SKIP",
        includeMetadata: true,
        files: whole,
        ...changes,
      };
      const headers = { "content-type": FILES_MEDIA_TYPE };
      const path = `/files/copies/${repository()}`;
      const answer = await callProtocol(
        target,
        "POST",
        path,
        encodeStatement(statement),
        headers,
      );
      const { status, code, message, data } = answer;
      return {
        status,
        code,
        message,
        files: (data as { files: unknown[] } | null)?.files,
      };
    },
    async stateVersions(
      type: "MAVEN" | "NPM",
      versions: DescribedVersion[],
      changes: Facts = {},
      contents: Buffer[] = [],
    ): Promise<unknown[]> {
      const body = frame(type, versions, contents, changes);
      const headers = { "content-type": VERSIONS_MEDIA_TYPE };
      const path = `/versions/copies/${repository()}`;
      const { data, message } = await callProtocol(target, "POST", path, body, headers);
      if (data === null) throw new Error(message ?? "no answer");
      return (data as { versions: unknown[] }).versions;
    },
  };
}

const hex = (algorithm: Algorithm, content: Buffer) =>
  createHash(algorithm).update(content).digest("hex");

/** Describes a content by these digests only: neither its sha256 nor its size is known. */
export const unread = (
  content: Buffer,
  algorithms: Algorithm[],
  changes: Facts = {},
): Facts => ({
  sha256: null,
  size: null,
  ...Object.fromEntries(
    algorithms.map((algorithm) => [algorithm, hex(algorithm, content)]),
  ),
  ...changes,
});

/** Describes a version whose source knows only these digests of the files with these name endings. */
export function described(
  { stated, bytes }: Built,
  algorithms: Algorithm[],
  ...ends: string[]
): DescribedVersion {
  const files = stated.files.map((file) => {
    const content = bytes.get(file.path);
    return content && ends.some((end) => file.path.endsWith(end))
      ? { ...file, ...unread(content, algorithms) }
      : file;
  });
  return { ...stated, digest: null, files };
}

/** Uploads the files at these paths and returns the version with the sha256 and size that the uploads found. */
export async function uploaded(
  rig: UnreadTarget,
  version: DescribedVersion,
  { bytes }: Built,
  paths: string[],
): Promise<DescribedVersion> {
  const files = [];
  for (const file of version.files)
    files.push(
      paths.includes(file.path)
        ? { ...file, ...(await rig.upload(bytes.get(file.path) ?? Buffer.alloc(0))) }
        : file,
    );
  return { ...version, files };
}
