import { PREFIXES } from "../../activities/store/layout.ts";
import type { Pace } from "../../activities/store/file-digest.ts";
import type { Store } from "../../activities/store/store.ts";
import { collectBlobs, TOUCH_AFTER_MS, unknownBlobs } from "../../db/content/blobs.ts";
import { deleteExpired } from "../../db/content/delete-nodes.ts";
import { durable } from "../../db/durable.ts";
import { deletePassedEvents } from "../../db/content/events.ts";
import type { Db } from "../../db/open.ts";
import { sweepImageBlobs } from "../../db/packages/image/sweep.ts";
import { turn } from "../../db/turns.ts";
import type { ContentDeps } from "../content/damage.ts";
import { backgroundPace } from "../content/pace.ts";
import { add, type Collection, createCollections } from "./collection.ts";
import { tendDamaged } from "./damaged.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/**
 * Content without references stays at least 24 h after it was last written, looked up or
 * dereferenced.
 */
const KEEP_MS = 24 * HOUR + TOUCH_AFTER_MS;
/**
 * The same for a collection that was asked for, or that the reserve of the disk calls for. What the time is for: a
 * sender that was told that its content is here, or has just sent it, is about to declare the file. That is a courtesy
 * and no guard: making a file looks for its content in the same transaction and otherwise asks for it again; contents
 * that are being written are held; and image blobs, whose clients cannot send them again in the middle of a push, are
 * files that keep their contents for their full day.
 */
const SHORT_KEEP_MS = 5 * MINUTE;
/** An upload that got no bytes for this long ends in such a collection; its sender begins it again. */
const SHORT_SESSION_MS = HOUR;
const STEP = 500;
const PREFIXES_AN_HOUR = 11;

/** How often (hourly runs) what is in the quarantine is read again. */
const COPIES_EVERY = 24;

/** How thorough a collection is; `counted`: where it counts; `copies`: whether it reads what is in the quarantine. */
type Extent = {
  keepMs: number;
  sessionMs?: number;
  whole: boolean;
  copies: boolean;
  counted?: Collection;
};

const USUAL = { keepMs: KEEP_MS, whole: false };
const THOROUGH = {
  keepMs: SHORT_KEEP_MS,
  sessionMs: SHORT_SESSION_MS,
  whole: true,
  copies: false,
};

/** `breathe` gives other work its turn, and throws when this process is about to end. */
type Keeping = ContentDeps & { breathe: () => Promise<void>; pace: Pace };

/**
 * Removes expired files, events that every cursor has passed, image blobs that no manifest names,
 * abandoned uploads and content without references, and looks after damaged content, in small steps
 * between other work. Only the control plane may do this: no other process knows which content is
 * being written.
 */
export function createHousekeeping(deps: ContentDeps) {
  const stopping = new AbortController();
  const keeping: Keeping = {
    ...deps,
    pace: backgroundPace(stopping.signal),
    async breathe() {
      await turn();
      stopping.signal.throwIfAborted();
    },
  };
  let running: Promise<void> | null = null;
  let runs = 0;
  const begin = () => clean(keeping, { ...USUAL, copies: runs++ % COPIES_EVERY === 0 });
  const run = () => (running ??= begin().finally(() => (running = null)));
  const log = (error: unknown) => {
    if (!stopping.signal.aborted)
      deps.logger.error({ err: error }, "housekeeping failed");
  };
  const runOrLog = () => run().catch(log);
  const collections = createCollections(
    async (counted) => {
      await running?.catch(() => undefined);
      await clean(keeping, { ...THOROUGH, counted });
    },
    deps.now,
    log,
  );
  async function relieve(): Promise<void> {
    const { free, reserve } = await deps.store.disk();
    if (free >= reserve) return;
    deps.logger.warn({ free, reserve }, "less is free than DISK_RESERVE: collecting");
    await collections.begin().ended;
  }

  return {
    run,
    collections,
    /** Collects at once while less is free than the reserve, and resolves when that has ended. */
    relieve,
    /**
     * Removes all content without a row in table `blob`, in one go; the hourly work does one part of the
     * digests.
     */
    async reconcile(): Promise<void> {
      for (const prefix of PREFIXES) await removeUnknown(keeping, prefix);
    },
    /**
     * Runs one minute from now and then every hour. Returns a function that ends this; once it
     * resolves, the database may be closed.
     */
    start(): () => Promise<void> {
      const timers = [
        setTimeout(() => void runOrLog(), MINUTE),
        setInterval(() => void runOrLog(), HOUR),
        setInterval(() => void relieve().catch(log), MINUTE),
      ];
      return async () => {
        for (const timer of timers) clearTimeout(timer);
        stopping.abort();
        await running?.catch(() => undefined);
        await collections.idle();
      };
    },
  };
}

async function clean(keeping: Keeping, extent: Extent): Promise<void> {
  const { db, store, now, breathe } = keeping;
  await repeat(keeping, () => deleteExpired(db, now()));
  await repeat(keeping, () => deletePassedEvents(db));
  for (let after: number | null = 0; after !== null; await breathe())
    after = sweepImageBlobs(db, after, now());
  await store.sessions.expire(now(), extent.sessionMs);
  await collect(keeping, extent);
  await tendDamaged(keeping, extent.copies);
  const first = (Math.floor(now() / HOUR) % 24) * PREFIXES_AN_HOUR;
  const prefixes = extent.whole
    ? PREFIXES
    : PREFIXES.slice(first, first + PREFIXES_AN_HOUR);
  for (const prefix of prefixes) await removeUnknown(keeping, prefix);
}

async function repeat({ breathe }: Keeping, step: () => number): Promise<void> {
  while (step() > 0) await breathe();
}

async function collect(
  { db, store, now, breathe }: Keeping,
  { keepMs, counted }: Extent,
): Promise<void> {
  for (let after: string | null = ""; after !== null; await breathe()) {
    const step: ReturnType<typeof collectBlobs> = collectBlobs(db, {
      after,
      before: now() - keepMs,
      limit: STEP,
      isHeld: store.isHeld,
    });
    // The deletion of rows is made durable first: a row that came back after a power loss would
    // lack its content.
    if (step.removed.length > 0) await durable(db);
    await removeUnregistered(
      db,
      store,
      step.removed.map(({ sha256 }) => sha256),
    );
    count(counted, step);
    after = step.last;
  }
}

function count(
  counted: Collection | undefined,
  { removed, waiting }: Pick<ReturnType<typeof collectBlobs>, "removed" | "waiting">,
): void {
  if (counted === undefined) return;
  for (const { size, inline } of removed)
    add(inline ? counted.reusable : counted.freed, size);
  for (const { size } of waiting) add(counted.waiting, size);
}

/**
 * Removes content without a row. It exists if a process died after writing the content and before
 * writing the row.
 */
async function removeUnknown(
  { db, store, breathe }: Keeping,
  prefix: string,
): Promise<void> {
  const digests = await store.digests(prefix);
  for (let at = 0; at < digests.length; at += STEP) {
    await removeUnregistered(db, store, unknownBlobs(db, digests.slice(at, at + STEP)));
    await breathe();
  }
}

/**
 * Removes those contents that still have no row. Nothing else of this process runs between the look
 * at the row and the removal, and a commit under way holds its content. So content either has its
 * row before and stays, or its writer finds it gone and writes it again.
 */
async function removeUnregistered(
  db: Db,
  store: Store,
  digests: string[],
): Promise<void> {
  for (const sha256 of digests)
    if (unknownBlobs(db, [sha256]).length > 0) await store.remove(sha256);
}
