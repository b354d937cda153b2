import { LIMITS } from "../../../domain/foreign/limits.ts";
import type { CopyHooks } from "../../../domain/outcome.ts";
import {
  type DescribedEntry,
  type DescribedFile,
  encodeStatement,
  FILES_MEDIA_TYPE,
  type FileAnswer,
  type Statement,
} from "../../../domain/sync.ts";
import { metered } from "../body.ts";
import { readFileAnswers } from "./answers.ts";
import type { Wire } from "./wire.ts";

const SLICE = 1024 * 1024;
const LARGE = 128 * 1024;

export type RemoteRepository = { projectId: string; repoName: string };
export type SendHooks = Pick<CopyHooks, "signal" | "throttle" | "onBytes">;

export const repositoryPath = ({ projectId, repoName }: RemoteRepository): string =>
  `${encodeURIComponent(projectId)}/${encodeURIComponent(repoName)}`;

/** Declares files. Files without a sha256 or a size require the feature `versionsByOtherDigests` at the target. */
export async function sendFiles(
  wire: Wire,
  remote: RemoteRepository,
  statement: Statement<DescribedEntry>,
  contents: Uint8Array[],
  hooks: SendHooks,
): Promise<FileAnswer[]> {
  const what = `files to ${remote.projectId}/${remote.repoName}`;
  const path = `files/${repositoryPath(remote)}`;
  const post = {
    what,
    path,
    mediaType: FILES_MEDIA_TYPE,
    storedBytes: comparedBytes(statement.files),
  };
  const data = await postStatement(
    wire,
    post,
    encodeStatement(statement),
    contents,
    hooks,
  );
  return readFileAnswers(data, statement.files.length, what, wire.shown);
}

/**
 * Returns how many bytes the target may have to read before it can compare files, without files of unknown
 * size; undefined when the sha256 of each file is known, so that it reads none.
 */
export function comparedBytes(files: readonly DescribedFile[]): number | undefined {
  const unread = files.filter(({ sha256 }) => sha256 === null);
  return unread.length === 0
    ? undefined
    : unread.reduce((sum, { size }) => sum + (size ?? 0), 0);
}

type Post = {
  what: string;
  path: string;
  mediaType: string;
  storedBytes: number | undefined;
};

/** Sends a declaration (`head`), followed by the contents that it attaches. */
export async function postStatement(
  wire: Wire,
  { what, path, mediaType, storedBytes }: Post,
  head: Uint8Array,
  contents: Uint8Array[],
  hooks: SendHooks,
): Promise<unknown> {
  const slices = joinSlices([head, ...contents]);
  const length = slices.reduce((sum, slice) => sum + slice.length, 0);
  return wire.call({
    method: "POST",
    what,
    path,
    headers: { "content-type": mediaType, "content-length": String(length) },
    body: throttled(slices, hooks, head.length),
    signal: hooks.signal,
    storedBytes,
    limits: LIMITS.answer,
  });
}

/** Joins small neighbouring buffers, so that few writes are needed; large buffers are not copied. */
function joinSlices(parts: Uint8Array[]): Uint8Array[] {
  const slices: Uint8Array[] = [];
  let group: Uint8Array[] = [];
  let length = 0;
  const close = () => {
    if (group.length > 0)
      slices.push(
        group.length === 1 && group[0] ? group[0] : Buffer.concat(group, length),
      );
    group = [];
    length = 0;
  };
  for (const part of parts) {
    if (part.length > LARGE || length + part.length > SLICE) close();
    group.push(part);
    length += part.length;
    if (part.length > LARGE) close();
  }
  close();
  return slices;
}

/** Applies the rate limit to all bytes of a body. Its first `head` bytes are not reported as transferred. */
export function throttled(
  slices: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  hooks: SendHooks,
  head = 0,
): AsyncGenerator<Uint8Array> {
  let overhead = head;
  return metered(slices, hooks.throttle, (bytes) => {
    hooks.onBytes(Math.max(0, bytes - overhead));
    overhead = Math.max(0, overhead - bytes);
  });
}
