import { TransferError } from "../../../../domain/failure.ts";
import type { Settling } from "../../contract.ts";
import { callsOf } from "./calls.ts";
import {
  type Copy,
  guarded,
  isKnown,
  type Item,
  learn,
  pack,
  settleFailure,
  toItem,
  together,
} from "./copy.ts";
import { openReader, TINY_BYTES } from "./reading.ts";
import { sendNeeded } from "./send.ts";
import { FILES, type Form, VERSIONS } from "./statement.ts";
import { declare } from "./verdict.ts";

const STATEMENTS_AT_ONCE = 4;
/** Bytes that are reserved in a declaration for everything besides its versions. */
const STATEMENT_RESERVE = 1024;

/**
 * `isEmpty`: the repository had no file when `prepare` first asked, so tiny contents are sent without asking
 * whether they exist.
 */
type Place = Pick<Copy, "client" | "remote" | "type"> & { isEmpty: boolean };

/**
 * Copies files and versions to a repository of another instance: many are declared in one request,
 * small contents are sent together, large ones through resumable uploads. A failure is the outcome of
 * the affected artifacts only. Rejects only when the signal fires.
 */
export async function settleBatch(batch: Settling, place: Place): Promise<void> {
  const items = batch.artifacts.map(toItem);
  await guarded(batch, items, async () => {
    const capabilities = await place.client.capabilities(batch.hooks.signal);
    if (!capabilities.repositoryTypes.includes(place.type)) {
      throw new TransferError(
        "unsupported",
        `the instance ${capabilities.name} at ${place.client.url} does not support ${place.type} repositories: ` +
          "bring that instance to this release",
      );
    }
    const calls = await callsOf(place.client, batch.hooks.signal);
    const copy: Copy = {
      ...batch,
      ...place,
      calls,
      capabilities,
      stopped: false,
      uploading: new Map(),
    };
    for (const form of [FILES, VERSIONS]) {
      const own = items.filter(
        ({ artifact }) => (artifact.version === "") === (form === FILES),
      );
      if (own.length > 0 && !copy.stopped)
        await settleForm(copy, form, own, place.isEmpty);
    }
  });
}

async function settleForm(
  copy: Copy,
  form: Form,
  items: Item[],
  isEmpty: boolean,
): Promise<void> {
  for (const item of items) item.length = form.lengthOf(item.artifact);
  const most = form.limits(copy);
  const fitting = items.filter((item) => fits(copy, item, most.mostBytes));
  await learnUnknown(copy, fitting);
  const isLacking = ({ mayHaveSent, parts }: Item) =>
    form === FILES &&
    isEmpty &&
    !mayHaveSent &&
    parts.every((part) => isKnown(part) && part.size <= TINY_BYTES);
  const lacking = fitting.filter(isLacking);
  for (const item of lacking) item.needs = item.parts;
  const asked = fitting.filter((item) => !isLacking(item) && !item.settled);
  await together(
    copy,
    pack(asked, ({ length }) => [1, length], [most.artifacts, most.bytes]),
    STATEMENTS_AT_ONCE,
    (group) =>
      guarded(
        copy,
        group,
        async () => void lacking.push(...(await declare(copy, form, group, new Map()))),
      ),
  );
  await sendNeeded(copy, form, lacking);
}

function fits(copy: Copy, item: Item, mostBytes: number): boolean {
  const { versionFiles } = copy.capabilities.limits;
  const problem =
    item.parts.length > versionFiles
      ? `the version has ${item.parts.length} files; ${copy.client.url} accepts at most ${versionFiles} ` +
        "for one version, so it cannot be replicated there"
      : item.length > mostBytes - STATEMENT_RESERVE
        ? `the metadata (list of files and package document) has ${item.length} bytes; ` +
          `${copy.client.url} accepts at most ${mostBytes}, so the artifact cannot be replicated there`
        : null;
  if (problem !== null) settleFailure(copy, item, new TransferError("tooLarge", problem));
  return problem === null;
}

/** Reads contents whose sha256 or size the source does not state, for an older instance that requires both. */
async function learnUnknown(copy: Copy, items: Item[]): Promise<void> {
  if (copy.calls.takesUnread) return;
  const unknown = items.filter(({ parts }) => !parts.every(isKnown));
  await together(copy, unknown, STATEMENTS_AT_ONCE, (item) =>
    guarded(copy, [item], () => readThrough(copy, item)),
  );
}

async function readThrough(copy: Copy, item: Item): Promise<void> {
  for (const part of item.parts.filter((each) => !isKnown(each))) {
    const { reader, known } = await openReader(copy, item, part, 0);
    try {
      while ((await reader.gather(TINY_BYTES)).length > 0);
    } finally {
      await reader.close();
    }
    learn(item, part, known());
  }
}
