import { hash } from "node:crypto";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import { settleTrouble, state, type Copy, type Item } from "./files-copy.ts";

/** Contents up to this size travel behind a statement, bigger ones through an upload session. */
export const SMALL_BYTES = 1024 * 1024;
/** Contents up to this size are read many at once. */
export const TINY_BYTES = 16 * 1024;
/** What the source reads at once. */
const READ_AT_ONCE = 256;

/** Sends files whose contents, all of them together, fit behind one statement. */
export async function sendSmall(copy: Copy, items: Item[]): Promise<Item[]> {
  const contents = await readContents(copy, items);
  const readable = items.filter(({ settled }) => !settled);
  if (readable.length === 0) return [];
  const needed = await state(copy, readable, contents);
  for (const item of needed) {
    settleTrouble(copy, item, new TransferError("server", `${copy.target.url} did not take its content`));
  }
  return [];
}

/** Verified contents by sha256; items whose content is gone or damaged are settled. */
async function readContents(copy: Copy, items: Item[]): Promise<Map<string, Buffer>> {
  const contents = await readTiny(copy, items);
  const lacks = new Map<string, TransferError>();
  for (const item of items) {
    const { sha256 } = item.source;
    if (!contents.has(sha256) && !lacks.has(sha256)) {
      const content = await readWhole(copy, item).catch((error: unknown) => toTransferError(error));
      copy.hooks.signal.throwIfAborted();
      if (content instanceof TransferError) lacks.set(sha256, content);
      else contents.set(sha256, content);
    }
    const lack = lacks.get(sha256);
    if (lack) settleTrouble(copy, item, lack);
  }
  return contents;
}

type Reading = Pick<Copy, "content" | "hooks">;
type Sourced = { source: { sha256: string; size: number } };

/** Those of the contents that are tiny and what they should be; the others are read one by one. */
export async function readTiny(copy: Reading, items: Sourced[]): Promise<Map<string, Buffer>> {
  const wanted = items.filter(({ source }) => source.size <= TINY_BYTES).map(({ source }) => source.sha256);
  const digests = [...new Set(wanted)];
  const contents = new Map<string, Buffer>();
  for (let at = 0; at < digests.length; at += READ_AT_ONCE) {
    const read = await copy.content.readSmall(digests.slice(at, at + READ_AT_ONCE), copy.hooks.signal);
    for (const [sha256, content] of read) if (hash("sha256", content) === sha256) contents.set(sha256, content);
  }
  return contents;
}

/** Verified. */
export async function readWhole(copy: Reading, { source }: Sourced): Promise<Buffer> {
  const { stream } = await copy.content.open(source.sha256, { start: 0 }, copy.hooks.signal);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > source.size) break;
  }
  const content = Buffer.concat(chunks);
  const digest = hash("sha256", content);
  if (digest !== source.sha256) throw damagedSource(`${length} bytes with sha256:${digest}`, source.sha256);
  return content;
}

export function damagedSource(found: string, sha256: string): TransferError {
  return new TransferError("invalid", `its content in the local store is damaged (${found}, not sha256:${sha256}): upload the file again`);
}
