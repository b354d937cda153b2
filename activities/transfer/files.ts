import type { ArtifactOutcome, CopyHooks, CopyRules, UploadState } from "../../domain/outcome.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { InstanceClient } from "../registries/instance/client.ts";
import type { RemoteRepository } from "../registries/instance/send.ts";
import type { ContentSource } from "../store/source.ts";
import { guarded, state, toItem, type Copy, type Item } from "./files-copy.ts";
import { sendSmall, SMALL_BYTES } from "./files-small.ts";
import { sendBig } from "./files-upload.ts";
import { together } from "./settling.ts";

const STATED_AT_ONCE = 200;
/** Contents of one request: a cut connection costs little, and a worker has some of them in memory for each batch. */
const REQUEST_BYTES = 2 * 1024 * 1024;
const STATEMENTS_AT_ONCE = 4;
const SENDS_AT_ONCE = 3;

/** A file of a hosted repository, as it was when it was planned. Digests in lower-case hex, dates epoch ms. */
export type SourceFile = {
  fullPath: string;
  size: number;
  sha256: string;
  md5: string;
  metadata: Record<string, string>;
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

export type CopyFile = {
  source: SourceFile;
  mayHaveSent: boolean;
  /** Where an earlier attempt left the upload of its content. */
  uploads: UploadState[];
};

export type CopyFiles = {
  content: ContentSource;
  target: InstanceClient;
  /** Made by `ensureRepository` before. */
  remote: RemoteRepository;
  /** Of that repository; GENERIC unless said otherwise. */
  type?: RepositoryType;
  rules: Pick<CopyRules, "conflictStrategy" | "includeMetadata">;
  files: CopyFile[];
  hooks: CopyHooks;
  /** Called once for each file, as soon as its fate is known; not at all for files that a conflict under FAST_FAIL or an abort left undone. */
  report: (index: number, outcome: ArtifactOutcome) => void;
};

/**
 * Copies files to a repository of another instance: one question for many files, small contents many at once, big ones
 * through resumable uploads. A trouble of one file or one request is an outcome of the files it touches. Rejects only when the signal fires.
 */
export async function copyFiles(input: CopyFiles): Promise<void> {
  const items = input.files.map(toItem);
  await guarded(input, items, async () => {
    const { limits } = await input.target.capabilities(input.hooks.signal);
    await copyItems({ ...input, limits, stopped: false }, items);
    return [];
  });
}

async function copyItems(copy: Copy, items: Item[]): Promise<void> {
  const lacking: Item[] = [];
  await together(copy, groupsOf(items, STATED_AT_ONCE), STATEMENTS_AT_ONCE, async (group) => {
    lacking.push(...(await guarded(copy, group, () => state(copy, group, new Map()))));
  });
  const groups = byContent(lacking);
  const isSmall = ([{ source }]: Group) => source.size <= Math.min(SMALL_BYTES, copy.limits.fileBytes);
  const small = bySize(groups.filter(isSmall), Math.min(REQUEST_BYTES, copy.limits.contentBytes));
  const big = groups.filter((group) => !isSmall(group));
  const sends = [...small.map((group) => ({ group, send: sendSmall })), ...big.map((group) => ({ group, send: sendBig }))];
  await together(copy, sends, SENDS_AT_ONCE, ({ group, send }) => guarded(copy, group, () => send(copy, group)));
}

function groupsOf(items: Item[], size: number): Item[][] {
  const groups: Item[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}

type Group = [Item, ...Item[]];

/** Files with one content together: it is sent once. */
function byContent(items: Item[]): Group[] {
  const open = new Map<string, Group>();
  const whole: Group[] = [];
  for (const item of items) {
    const { sha256 } = item.source;
    const group = open.get(sha256);
    if (group && group.length < STATED_AT_ONCE) {
      group.push(item);
      continue;
    }
    const begun: Group = [item];
    open.set(sha256, begun);
    whole.push(begun);
  }
  return whole;
}

/** As many contents together as go into one request. */
function bySize(groups: Group[], most: number): Item[][] {
  const requests: Item[][] = [];
  let current: Item[] = [];
  let bytes = 0;
  for (const group of groups) {
    const { size } = group[0].source;
    const full = bytes + size > most || current.length + group.length > STATED_AT_ONCE;
    if (full && current.length > 0) {
      requests.push(current);
      current = [];
      bytes = 0;
    }
    current.push(...group);
    bytes += size;
  }
  if (current.length > 0) requests.push(current);
  return requests;
}
