import type { ArtifactOutcome, CopyHooks, CopyRules, UploadState } from "../../domain/outcome.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { InstanceClient } from "../registries/instance/client.ts";
import type { RemoteRepository } from "../registries/instance/send.ts";
import type { ContentSource } from "../store/source.ts";
import { guarded, state, toItem, type Copy, type Item } from "./files-copy.ts";
import { sendSmall, SMALL_BYTES, TINY_BYTES } from "./files-small.ts";
import { sendBig } from "./files-upload.ts";
import { pack, together } from "./settling.ts";

const STATED_AT_ONCE = 500;
/** Of one content; more files that share it are stated with it again. */
const SHARING_AT_ONCE = 100;
/** What a statement says of a file besides path and metadata, at most: names of 256 letters, digests, dates. */
const OTHER_FACTS_BYTES = 4_000;
/** Contents of one request: a cut connection costs little, and a worker has some of them in memory for each batch. */
const REQUEST_BYTES = 2 * 1024 * 1024;
const STATEMENTS_AT_ONCE = 4;
const SENDS_AT_ONCE = 2;

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
  /** It had no file when this run began with it: tiny contents are sent without asking first whether they are there. */
  isEmpty?: boolean;
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
  const { limits } = copy;
  const stated = Math.min(STATED_AT_ONCE, limits.files);
  const isLacking = ({ source, mayHaveSent }: Item) => copy.isEmpty === true && !mayHaveSent && source.size <= TINY_BYTES;
  const lacking = items.filter(isLacking);
  const asked = pack(items.filter((item) => !isLacking(item)), (item) => [1, statedBytes(item)], [stated, limits.statementBytes]);
  await together(copy, asked, STATEMENTS_AT_ONCE, async (group) => {
    lacking.push(...(await guarded(copy, group, () => state(copy, group, new Map()))));
  });
  const groups = byContent(lacking);
  const isSmall = ([{ source }]: Group) => source.size <= Math.min(SMALL_BYTES, limits.fileBytes);
  const small = pack(groups.filter(isSmall), weights, [stated, limits.statementBytes, Math.min(REQUEST_BYTES, limits.contentBytes)]);
  const big = groups.filter((group) => !isSmall(group));
  const sends = [...small.map((packed) => ({ group: packed.flat(), send: sendSmall })), ...big.map((group) => ({ group, send: sendBig }))];
  await together(copy, sends, SENDS_AT_ONCE, ({ group, send }) => guarded(copy, group, () => send(copy, group)));
}

/** What a file takes of a statement, rather too much than too little. */
const statedBytes = ({ source }: Item): number => Buffer.byteLength(JSON.stringify([source.fullPath, source.metadata])) + OTHER_FACTS_BYTES;

type Group = [Item, ...Item[]];

const weights = (group: Group) => [group.length, group.reduce((sum, item) => sum + statedBytes(item), 0), group[0].source.size];

/** Files with one content together: it is sent once. */
function byContent(items: Item[]): Group[] {
  const open = new Map<string, Group>();
  const whole: Group[] = [];
  for (const item of items) {
    const { sha256 } = item.source;
    const group = open.get(sha256);
    if (group && group.length < SHARING_AT_ONCE) {
      group.push(item);
      continue;
    }
    const begun: Group = [item];
    open.set(sha256, begun);
    whole.push(begun);
  }
  return whole;
}
