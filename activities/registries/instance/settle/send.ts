import { type Part } from "../../../../domain/artifact.ts";
import { TransferError } from "../../../../domain/failure.ts";
import {
  type Copy,
  guarded,
  isKnown,
  type Item,
  type KnownPart,
  learn,
  pack,
  settleFailure,
  together,
} from "./copy.ts";
import { readBeginning, readContents, SMALL_BYTES, type Wanted } from "./reading.ts";
import { type Contents, type Form, sendVersions } from "./statement.ts";
import { uploadContent } from "./upload.ts";
import { damagedOnTheWay, declare } from "./verdict.ts";

/**
 * Maximum content bytes in one request. Small, because a broken connection then costs little, and a
 * worker holds several requests of each batch in memory.
 */
const REQUEST_BYTES = 2 * 1024 * 1024;
const SENDS_AT_ONCE = 3;
/**
 * Maximum number of artifacts that share one content in one request; for further artifacts the content
 * is sent again.
 */
const SHARING_AT_ONCE = 100;
/** How many artifacts are read concurrently to learn the sha256 and size of their contents. */
const READ_AT_ONCE = 4;

type Group = [Item, ...Item[]];

/**
 * Sends artifacts with the contents that the target needs: several complete artifacts in one request, and those
 * that are too large for that in pieces.
 */
export async function sendNeeded(copy: Copy, form: Form, items: Item[]): Promise<void> {
  const most = form.limits(copy);
  const known = byContent(items.filter(({ needs }) => needs.every(isKnown)));
  const unknown = items.filter(({ needs }) => !needs.every(isKnown));
  const light = known.filter(([item]) => isLight(copy, item));
  const heavy = known.filter((group) => !light.includes(group));
  const requests = pack(
    light,
    (group) => [group.length, lengthOf(group), bytesOf(contentsOf(group[0]))],
    [most.artifacts, most.bytes, requestBytes(copy)],
  );
  const sends = [
    ...requests.map((groups) => ({ group: groups.flat(), work: sendTogether })),
    ...pack(unknown, () => [1], [READ_AT_ONCE]).map((group) => ({
      group,
      work: sendUnknown,
    })),
    ...heavy.map((group) => ({ group, work: sendInPieces })),
  ];
  await together(copy, sends, SENDS_AT_ONCE, ({ group, work }) =>
    guarded(copy, group, () => work(copy, form, group)),
  );
}

const requestBytes = ({ capabilities: { limits } }: Copy) =>
  Math.min(REQUEST_BYTES, limits.contentBytes);
const isSmall = ({ capabilities: { limits } }: Copy, { size }: KnownPart) =>
  size <= Math.min(SMALL_BYTES, limits.fileBytes);
const bytesOf = (contents: KnownPart[]) =>
  contents.reduce((sum, { size }) => sum + size, 0);
const lengthOf = (items: Item[]) => items.reduce((sum, { length }) => sum + length, 0);

/**
 * Returns the contents that the target needs of an artifact, each once, without those whose sha256 or size is
 * unknown.
 */
function contentsOf({ needs }: Item): KnownPart[] {
  return [
    ...new Map(needs.filter(isKnown).map((part) => [part.digests.sha256, part])).values(),
  ];
}

/**
 * Groups artifacts that need the same contents, at most SHARING_AT_ONCE in a group, so that each content is
 * sent once for a group.
 */
function byContent(items: Item[]): Group[] {
  const open = new Map<string, Group>();
  const whole: Group[] = [];
  for (const item of items) {
    const key = contentsOf(item)
      .map(({ digests }) => digests.sha256)
      .join();
    const group = open.get(key);
    if (group && group.length < SHARING_AT_ONCE) {
      group.push(item);
      continue;
    }
    const begun: Group = [item];
    open.set(key, begun);
    whole.push(begun);
  }
  return whole;
}

function isLight(copy: Copy, item: Item): boolean {
  const contents = contentsOf(item);
  return (
    contents.every((part) => isSmall(copy, part)) &&
    bytesOf(contents) <= requestBytes(copy)
  );
}

async function sendTogether(copy: Copy, form: Form, items: Item[]): Promise<void> {
  const wanted = items.flatMap((item) =>
    contentsOf(item).map((part): Wanted => ({ item, part })),
  );
  await finishWith(copy, form, items, await readContents(copy, wanted));
}

/** Reads contents to learn their sha256 and size; small ones are sent together, large ones through uploads. */
async function sendUnknown(copy: Copy, form: Form, items: Item[]): Promise<void> {
  const contents: Contents = new Map();
  await Promise.all(
    items.map((item) => guarded(copy, [item], () => readNeeds(copy, item, contents))),
  );
  const fitting = pack(
    items,
    (item) => [
      item.needs.reduce(
        (sum, { size }) => sum + ((size ?? 0) <= SMALL_BYTES ? (size ?? 0) : 0),
        0,
      ),
    ],
    [requestBytes(copy)],
  );
  for (const group of fitting) await finishWith(copy, form, group, contents);
}

async function readNeeds(copy: Copy, item: Item, contents: Contents): Promise<void> {
  for (const part of item.needs) {
    if (isKnown(part) && !isSmall(copy, part)) {
      await uploadOnce(copy, item, part);
      continue;
    }
    const isBegun = item.uploads.length > 0;
    const beginning = isBegun ? null : await readBeginning(copy, item, part);
    if (beginning === null || "reader" in beginning)
      await uploadContent(copy, item, part, beginning);
    else {
      learn(item, part, beginning.known);
      contents.set(beginning.known.digests.sha256, beginning.content);
    }
  }
}

/**
 * Sends artifacts that need the same contents: large contents through uploads, small ones ahead of the artifacts, then
 * the artifacts.
 */
async function sendInPieces(copy: Copy, form: Form, items: Item[]): Promise<void> {
  const [first] = items;
  if (!first) return;
  const contents = contentsOf(first);
  try {
    for (const part of contents.filter((each) => !isSmall(copy, each)))
      await uploadOnce(copy, first, part);
    const small = contents.filter((each) => isSmall(copy, each));
    for (const portion of pack(small, ({ size }) => [size], [requestBytes(copy)]))
      await sendAhead(copy, first, portion);
  } finally {
    for (const item of items) item.uploads = first.uploads;
  }
  await finish(copy, form, items, new Map());
}

/** Declares the artifacts that have no outcome yet, with those of the contents that they need. */
async function finishWith(
  copy: Copy,
  form: Form,
  items: Item[],
  contents: Contents,
): Promise<void> {
  const readable = items.filter(({ settled }) => !settled);
  if (readable.length === 0) return;
  const wanted = new Set<string | undefined>(
    readable.flatMap(({ needs }) => needs.map(({ digests }: Part) => digests.sha256)),
  );
  await finish(
    copy,
    form,
    readable,
    new Map([...contents].filter(([sha256]) => wanted.has(sha256))),
  );
}

async function finish(
  copy: Copy,
  form: Form,
  items: Item[],
  contents: Contents,
): Promise<void> {
  for (const item of await declare(copy, form, items, contents)) {
    settleFailure(
      copy,
      item,
      new TransferError(
        "server",
        `${copy.client.url} does not have the content although it was sent: if that repeats, look into the log there`,
      ),
    );
  }
}

/** Uploads a content once for all artifacts that share it. */
async function uploadOnce(copy: Copy, item: Item, part: KnownPart): Promise<void> {
  const { sha256 } = part.digests;
  const known = copy.uploading.get(sha256);
  if (known) return known;
  const uploading = uploadContent(copy, item, part, null);
  copy.uploading.set(sha256, uploading);
  await uploading;
}

async function sendAhead(copy: Copy, item: Item, portion: KnownPart[]): Promise<void> {
  const contents = await readContents(
    copy,
    portion.map((part) => ({ item, part })),
  );
  if (item.settled) return;
  const { damaged } = await sendVersions(copy, [], contents);
  item.sent += bytesOf(portion);
  if (damaged.length > 0) throw damagedOnTheWay(copy);
}
