import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { TransferError } from "../../domain/failure.ts";
import { newId } from "../../domain/ids.ts";
import { createTurns } from "../../domain/turns.ts";
import { createDigests, verify, wantedOf, type Digests, type Expected } from "./digests.ts";
import { INLINE_LIMIT, storageError } from "./layout.ts";
import { appendTo, digestFile, expireSessions, SESSION_FILE } from "./session-file.ts";
import { stagedContent, stagedFile, temporaryFile, type Staged, type Stager } from "./stage.ts";

/** `accepted` false: the session stands at another offset, from which the sender goes on. */
export type Appended = { accepted: boolean; offset: number };

/** `md5` false: nobody will ask for it. */
export type AppendLimits = { maxBytes?: number | undefined; md5?: boolean };

/**
 * Uploads in pieces. They outlive the process: the confirmed offset is the length of the session's file. Unknown ids
 * are TransferErrors `notFound`.
 */
export type Sessions = {
  open: () => Promise<string>;
  /**
   * The confirmed offset, which then stands still: an append that is under way is ended. Null for an unknown session.
   */
  status: (id: string) => Promise<number | null>;
  /**
   * Adds the body at `offset`. What arrived of a body that breaks, or is larger than `maxBytes` in all, is kept.
   * A newer append ends an older one, which may hang on a dead connection.
   */
  append: (id: string, offset: number, body: Readable, limits?: AppendLimits) => Promise<Appended>;
  /** The whole content, verified; the session ends, whatever the outcome. */
  finish: (id: string, expect: Expected) => Promise<Staged>;
  abort: (id: string) => Promise<void>;
  /** Removes the sessions that nobody touched for SESSION_LIFE_MS. */
  expire: (now: number) => Promise<void>;
};

const unknown = (id: string) =>
  new TransferError("notFound", `there is no upload session ${JSON.stringify(id.slice(0, 40))}: begin a new one`);

export function createSessions(stager: Stager): Sessions {
  const { staging } = stager.layout;
  const running = createRunningDigests();
  const bodies = new Map<string, Readable>();
  const inTurn = createTurns();

  function fileOf(id: string): string {
    if (!SESSION_FILE.test(`s-${id}`)) throw unknown(id);
    return join(staging, `s-${id}`);
  }

  async function sizeOf(id: string): Promise<number> {
    const found = await stat(fileOf(id)).catch(() => null);
    if (!found) throw unknown(id);
    return found.size;
  }

  async function add(
    id: string,
    offset: number,
    body: Readable,
    { maxBytes = Infinity, md5 = true }: AppendLimits,
  ): Promise<Appended> {
    const size = await sizeOf(id);
    if (size !== offset) return { accepted: false, offset: size };
    const digests = running.take(id, size, md5);
    try {
      return { accepted: true, offset: await appendTo(fileOf(id), size, digests ?? createDigests(), body, maxBytes) };
    } finally {
      if (digests) running.keep(id, digests);
    }
  }

  async function finish(id: string, expect: Expected): Promise<Staged> {
    const size = await sizeOf(id);
    // From here on no late append can reach what is being verified.
    const file = temporaryFile(stager.layout);
    await rename(fileOf(id), file);
    try {
      const known = running.take(id, size);
      const wanted = wantedOf(expect);
      const summary = known && !wanted.sha512 && !wanted.sha1 ? known.summary() : await digestFile(file, wanted);
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

  return {
    async open() {
      const id = newId();
      try {
        // Not made durable: a session without bytes that a power loss takes costs its sender one request.
        await (await open(fileOf(id), "wx", 0o600)).close();
      } catch (error) {
        throw storageError(error);
      }
      return id;
    },

    async status(id) {
      bodies.get(id)?.destroy(new TransferError("cancelled", "a newer request goes on with this upload"));
      return inTurn(id, () => sizeOf(id)).catch(() => null);
    },

    async append(id, offset, body, limits = {}) {
      bodies.get(id)?.destroy(new TransferError("cancelled", "a newer request goes on with this upload"));
      bodies.set(id, body);
      // It may break before its turn comes to be read; reading it tells then.
      body.on("error", () => undefined);
      try {
        return await inTurn(id, () => add(id, offset, body, limits));
      } finally {
        if (bodies.get(id) === body) bodies.delete(id);
      }
    },

    finish: (id, expect) => inTurn(id, () => finish(id, expect)),

    async abort(id) {
      bodies.get(id)?.destroy(new TransferError("cancelled", "the upload was given up"));
      await inTurn(id, async () => {
        running.forget([id]);
        await rm(fileOf(id), { force: true });
      });
    },

    async expire(now) {
      running.forget(await expireSessions(staging, now));
    },
  };
}

/** Digests of the sessions that this process saw from their first byte on; sha256 cannot be stored half-way. */
function createRunningDigests() {
  const running = new Map<string, Digests>();
  return {
    /** Null when this process did not see all that is in the file. */
    take(id: string, size: number, md5 = true): Digests | null {
      const known = size === 0 ? createDigests({ md5 }) : running.get(id);
      running.delete(id);
      return known?.size() === size ? known : null;
    },
    keep: (id: string, digests: Digests) => void running.set(id, digests),
    forget: (ids: string[]) => ids.forEach((id) => running.delete(id)),
  };
}
