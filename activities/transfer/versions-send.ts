import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { StatedContent } from "../../domain/sync-versions.ts";
import { readTiny, readWhole, SMALL_BYTES } from "./files-small.ts";
import { upload, type UploadItem } from "./files-upload.ts";
import { pack, together } from "./settling.ts";
import { type Copy, guarded, type Item, send, settleTrouble, state } from "./versions-copy.ts";

/** Contents of one request: a cut connection costs little, and a worker has some of them in memory for each batch. */
const REQUEST_BYTES = 2 * 1024 * 1024;
const STATEMENT_LENGTH = 1024 * 1024;
const STATED_AT_ONCE = 100;
const SENDS_AT_ONCE = 3;

/** Sends versions with the contents they need: several whole ones in a request, or those that are too large for that one by one. */
export async function sendNeeded(copy: Copy, items: Item[]): Promise<void> {
  const light = items.filter((item) => isLight(copy, item));
  const heavy = items.filter((item) => !light.includes(item));
  const requests = pack(light, (item) => [1, item.length, bytesOf(contentsOf(item))], [STATED_AT_ONCE, STATEMENT_LENGTH, requestBytes(copy)]);
  const sends = [...requests.map((group) => ({ group, work: sendTogether })), ...heavy.map((item) => ({ group: [item], work: sendInPieces }))];
  await together(copy, sends, SENDS_AT_ONCE, ({ group, work }) => guarded(copy, group, () => work(copy, group)));
}

const requestBytes = ({ limits }: Copy) => Math.min(REQUEST_BYTES, limits.contentBytes);
const isSmall = ({ limits }: Copy, { size }: StatedContent) => size <= Math.min(SMALL_BYTES, limits.fileBytes);
const bytesOf = (contents: StatedContent[]) => contents.reduce((sum, { size }) => sum + size, 0);

/** What a version needs, each content once. */
function contentsOf({ stated, needs }: Item): StatedContent[] {
  const sizes = new Map(stated.files.map(({ sha256, size }) => [sha256, size]));
  return needs.map((sha256) => ({ sha256, size: sizes.get(sha256) ?? 0 }));
}

function isLight(copy: Copy, item: Item): boolean {
  const contents = contentsOf(item);
  return contents.every((content) => isSmall(copy, content)) && bytesOf(contents) <= requestBytes(copy);
}

async function sendTogether(copy: Copy, items: Item[]): Promise<Item[]> {
  const { contents, lacks } = await readContents(copy, items.flatMap(contentsOf));
  for (const item of items) {
    const lack = item.needs.map((sha256) => lacks.get(sha256)).find((error) => error !== undefined);
    if (lack) settleTrouble(copy, item, lack);
  }
  const readable = items.filter(({ settled }) => !settled);
  if (readable.length === 0) return [];
  const wanted = new Set(readable.flatMap(({ needs }) => needs));
  await finish(copy, readable, new Map([...contents].filter(([sha256]) => wanted.has(sha256))));
  return [];
}

/** Big contents by uploads and small ones ahead of the version, then the version. */
async function sendInPieces(copy: Copy, items: Item[]): Promise<Item[]> {
  for (const item of items) {
    const contents = contentsOf(item);
    for (const content of contents.filter((each) => !isSmall(copy, each))) await uploadOnce(copy, item, content);
    for (const portion of inPortions(contents.filter((each) => isSmall(copy, each)), requestBytes(copy))) await sendAhead(copy, item, portion);
    await finish(copy, [item], new Map());
  }
  return [];
}

async function finish(copy: Copy, items: Item[], contents: Map<string, Buffer>): Promise<void> {
  for (const item of await state(copy, items, contents)) {
    settleTrouble(copy, item, new TransferError("server", `${copy.target.url} does not have its content although it was sent`));
  }
}

/** Versions that share a content share its upload. */
async function uploadOnce(copy: Copy, item: Item, content: StatedContent): Promise<void> {
  const known = copy.uploading.get(content.sha256);
  if (known) return known;
  const uploading = uploadContent(copy, item, content);
  copy.uploading.set(content.sha256, uploading);
  await uploading;
}

/** `item.uploads` follows what the target has confirmed. */
async function uploadContent(copy: Copy, item: Item, source: StatedContent): Promise<void> {
  const digest = `sha256:${source.sha256}`;
  const others = item.uploads.filter((state) => state.digest !== digest);
  const content: UploadItem = { source, uploads: item.uploads.filter((state) => state.digest === digest), sent: 0, carried: false };
  try {
    await upload(copy, content);
    content.uploads = [];
  } finally {
    item.uploads = [...others, ...content.uploads];
    item.sent += content.sent;
  }
}

async function sendAhead(copy: Copy, item: Item, portion: StatedContent[]): Promise<void> {
  const { contents, lacks } = await readContents(copy, portion);
  for (const lack of lacks.values()) throw lack;
  const { damaged } = await send(copy, [], contents);
  item.sent += bytesOf(portion);
  if (damaged.length > 0) throw new TransferError("digestMismatch", `its bytes arrived changed at ${copy.target.url}`);
}

function inPortions(contents: StatedContent[], most: number): StatedContent[][] {
  const portions: StatedContent[][] = [];
  let bytes = Infinity;
  for (const content of contents) {
    bytes += content.size;
    const last = portions.at(-1);
    if (last && bytes <= most) {
      last.push(content);
      continue;
    }
    portions.push([content]);
    bytes = content.size;
  }
  return portions;
}

/** Verified contents by sha256, and why others cannot be had. */
async function readContents(copy: Copy, wanted: StatedContent[]): Promise<{ contents: Map<string, Buffer>; lacks: Map<string, TransferError> }> {
  const items = [...new Map(wanted.map((source) => [source.sha256, { source }])).values()];
  const contents = await readTiny(copy, items);
  const lacks = new Map<string, TransferError>();
  for (const item of items) {
    if (contents.has(item.source.sha256)) continue;
    const content = await readWhole(copy, item).catch((error: unknown) => toTransferError(error));
    copy.hooks.signal.throwIfAborted();
    if (content instanceof TransferError) lacks.set(item.source.sha256, content);
    else contents.set(item.source.sha256, content);
  }
  return { contents, lacks };
}
