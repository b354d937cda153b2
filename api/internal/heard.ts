import { findWorker, noteWorkerSeen } from "../../db/secrets/workers.ts";
import { elapsed } from "../../domain/elapsed.ts";
import { shortened } from "../../domain/shortened.ts";
import type { ApiDeps, LastHeard, Logger } from "../deps.ts";
import { spareWrite } from "../http/spare-write.ts";

/** How often (ms) the database learns that a worker was heard. */
const WRITTEN_MS = 60_000;
const LONGEST_VERSION = 50;

export type Heard = {
  /** Notes an admitted request of an identity; `version`: the release that it states. */
  note: (id: string, version?: string) => void;
  last: (id: string) => LastHeard | null;
};

/** Remembers when each identity was last heard, over restarts to a minute. */
export function createHeard({
  db,
  logger,
  now,
}: Pick<ApiDeps, "db" | "now"> & { logger: Pick<Logger, "warn"> }): Heard {
  const known = new Map<string, LastHeard & { written: number }>();

  function stored(id: string): LastHeard | null {
    const { lastSeen = null, version = null } = findWorker(db, id) ?? {};
    return lastSeen === null ? null : { lastSeen, version };
  }

  return {
    note(id, version) {
      const before = known.get(id);
      const told = version === undefined ? null : shortened(version, LONGEST_VERSION);
      const last = { lastSeen: now(), version: told ?? before?.version ?? null };
      const isNews = told !== null && told !== before?.version;
      const isDue =
        before === undefined || isNews || elapsed() - before.written >= WRITTEN_MS;
      known.set(id, { ...last, written: isDue ? elapsed() : before.written });
      if (!isDue) return;
      spareWrite({ logger }, "when a worker was last seen", () =>
        noteWorkerSeen(db, id, {
          lastSeen: last.lastSeen,
          ...(last.version === null ? {} : { version: last.version }),
        }),
      );
    },
    last: (id) => known.get(id) ?? stored(id),
  };
}
