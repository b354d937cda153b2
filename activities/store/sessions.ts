import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { TransferError } from "../../domain/failure.ts";
import { newId } from "../../domain/ids.ts";
import { createTurns } from "../../domain/turns.ts";
import {
  createDigests,
  verify,
  wantedOf,
  type Digests,
  type Expected,
} from "./digests.ts";
import { INLINE_LIMIT, storageError } from "./layout.ts";
import { createOpenSessions, type OpenSessions } from "./open-sessions.ts";
import {
  appendTo,
  digestFile,
  expireSessions,
  SESSION_FILE,
  SESSION_LIFE_MS,
  sessionsIn,
} from "./session-file.ts";
import {
  stagedContent,
  stagedFile,
  temporaryFile,
  type Staged,
  type Stager,
} from "./stage.ts";

/**
 * The result of an append. `accepted` false: nothing was added. `offset`: the size of the session's content
 * now, from which the sender continues.
 */
type Appended = { accepted: boolean; offset: number };

/** Limits of an append. `length`: the announced bytes of the body; `md5` false: it is not needed and not computed. */
type AppendLimits = {
  maxBytes?: number | undefined;
  length?: number | undefined;
  md5?: boolean;
};

/**
 * Uploads in pieces. A session outlives the process: its confirmed offset is the length of its file.
 * `append` and `finish` throw a TransferError `notFound` for an unknown session id.
 */
export type Sessions = {
  /**
   * Begins an upload and returns its id; null: too many are open (open-sessions.ts). `owner`: for whom it is, such as a
   * repository; `size`: its bytes, if that is known. Throws a TransferError `noSpace` if there is no room.
   */
  open: (owner: string, size?: number) => Promise<string | null>;
  /**
   * Ends an append that is in progress, then returns the confirmed offset, which does not change before the
   * next append; null for an unknown session.
   */
  status: (id: string) => Promise<number | null>;
  /**
   * Adds the body at `offset`. If the body breaks, or makes the content larger than `maxBytes`, throws and
   * keeps the chunks before that. A newer append ends an older one, which may hang on a dead connection.
   */
  append: (
    id: string,
    offset: number,
    body: Readable,
    limits?: AppendLimits,
  ) => Promise<Appended>;
  /** Returns the whole content, verified. The session ends, also when the verification fails. */
  finish: (id: string, expect: Expected) => Promise<Staged>;
  abort: (id: string) => Promise<void>;
  /** Removes the sessions that have received no bytes for `lifeMs`, by default SESSION_LIFE_MS. */
  expire: (now: number, lifeMs?: number) => Promise<void>;
  /** Notes the sessions that an earlier process has left. Must be called once, before any is opened. */
  find: () => Promise<void>;
  /** Returns how many sessions were not opened because too many are open. */
  refused: () => number;
};

type SessionDeps = { stager: Stager; running: RunningDigests; opened: OpenSessions };

export function createSessions(stager: Stager): Sessions {
  const opened = createOpenSessions();
  const deps = { stager, running: createRunningDigests(), opened };
  const bodies = new Map<string, Readable>();
  const inTurn = createTurns();
  const endBody = (id: string, reason: string) =>
    bodies.get(id)?.destroy(new TransferError("cancelled", reason));
  async function abort(id: string): Promise<void> {
    endBody(id, "the upload was aborted");
    await inTurn(id, async () => {
      deps.running.forget([id]);
      opened.remove(id);
      await rm(fileOf(stager, id), { force: true });
    });
  }

  return {
    async open(owner, size = 0) {
      (await stager.room.claim(size)).end();
      const id = newId();
      const given = opened.admit(id, owner);
      if (given === null) return null;
      for (const other of given) await abort(other);
      await openSession(deps, id);
      return id;
    },

    async status(id) {
      endBody(id, TAKEN_OVER);
      return inTurn(id, () => sizeOf(stager, id)).catch(() => null);
    },

    async append(id, offset, body, limits = {}) {
      endBody(id, TAKEN_OVER);
      opened.use(id);
      bodies.set(id, body);
      // The body may break before this code reads it; the error is then reported by the read and not thrown here.
      body.on("error", () => undefined);
      try {
        return await inTurn(id, () => append(deps, id, offset, body, limits));
      } finally {
        if (bodies.get(id) === body) bodies.delete(id);
      }
    },

    finish: (id, expect) =>
      inTurn(id, () => finish(deps, id, expect)).finally(() => opened.remove(id)),

    abort,
    refused: opened.refused,

    async expire(now, lifeMs = SESSION_LIFE_MS) {
      const expired = await expireSessions(stager.layout.staging, now - lifeMs);
      deps.running.forget(expired);
      expired.forEach(opened.remove);
    },

    async find() {
      for (const { id, size } of await sessionsIn(stager.layout.staging))
        opened.found(id, size === 0);
    },
  };
}

const TAKEN_OVER = "a newer request continues this upload";

const unknown = (id: string) =>
  new TransferError(
    "notFound",
    `upload session ${JSON.stringify(id.slice(0, 40))} does not exist: start a new one`,
  );

function fileOf({ layout }: Stager, id: string): string {
  if (!SESSION_FILE.test(`s-${id}`)) throw unknown(id);
  return join(layout.staging, `s-${id}`);
}

async function sizeOf(stager: Stager, id: string): Promise<number> {
  const found = await stat(fileOf(stager, id)).catch(() => null);
  if (!found) throw unknown(id);
  return found.size;
}

async function openSession({ stager, opened }: SessionDeps, id: string): Promise<void> {
  try {
    // The empty file is not synced: if a power loss removes it, the sender must only repeat one request.
    await (await open(fileOf(stager, id), "wx", 0o600)).close();
  } catch (error) {
    opened.remove(id);
    throw storageError(error);
  }
}

async function append(
  { stager, running }: SessionDeps,
  id: string,
  offset: number,
  body: Readable,
  { maxBytes = Infinity, length = 0, md5 = true }: AppendLimits,
): Promise<Appended> {
  const size = await sizeOf(stager, id);
  if (size !== offset) return { accepted: false, offset: size };
  const file = fileOf(stager, id);
  const claim = await stager.room.claim(length);
  const digests = running.take(id, size, md5);
  const limits = { maxBytes, claim };
  try {
    return {
      accepted: true,
      offset: await appendTo(file, size, digests ?? createDigests(), body, limits),
    };
  } finally {
    claim.end();
    if (digests) running.keep(id, digests);
  }
}

async function finish(
  { stager, running }: SessionDeps,
  id: string,
  expect: Expected,
): Promise<Staged> {
  const size = await sizeOf(stager, id);
  // The file is renamed before it is verified: a late append then no longer finds it and cannot
  // change the bytes.
  const file = temporaryFile(stager.layout);
  await rename(fileOf(stager, id), file);
  try {
    const known = running.take(id, size);
    const wanted = wantedOf(expect);
    const summary =
      known && !wanted.sha512 && !wanted.sha1
        ? known.summary()
        : await digestFile(file, wanted);
    verify(summary, expect);
    if (size > INLINE_LIMIT) return stagedFile(stager, file, summary);
    const content = await readFile(file);
    await rm(file, { force: true });
    return stagedContent(stager, content, summary);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

type RunningDigests = ReturnType<typeof createRunningDigests>;

/**
 * Holds the running digests of sessions whose bytes this process has all received; an unfinished sha256
 * cannot be saved to disk.
 */
function createRunningDigests() {
  const running = new Map<string, Digests>();
  return {
    /**
     * Returns the digests of a session and forgets them here. Returns null when this process did not
     * receive all `size` bytes of its file.
     */
    take(id: string, size: number, md5 = true): Digests | null {
      const known = size === 0 ? createDigests({ md5 }) : running.get(id);
      running.delete(id);
      return known?.size() === size ? known : null;
    },
    keep: (id: string, digests: Digests) => void running.set(id, digests),
    forget: (ids: string[]) => ids.forEach((id) => running.delete(id)),
  };
}
