import pLimit from "p-limit";
import type { CursorKey } from "../../db/pending/cursors.ts";
import type { Logger } from "../deps.ts";
import { ring, type RingDeps } from "./ring.ts";
import { elapsed } from "../../domain/elapsed.ts";

export type RingerDeps = RingDeps & {
  temporalUp: () => boolean;
  now: () => number;
  logger: Pick<Logger, "warn">;
};

const RINGS_AT_ONCE = 8;
const AFTER_FAILURE_MS = 1_000;

/**
 * Creates the ringer, which rings the workflows of the wanted cursors. A ring that Temporal does
 * not accept is tried again, after a pause of 1 s.
 */
export function createRinger(deps: RingerDeps) {
  const { logger } = deps;
  const limit = pLimit(RINGS_AT_ONCE);
  const wanted = new Map<string, CursorKey>();
  /**
   * Cursors that were rung and whose workflow has not read its events since: another ring would add
   * nothing.
   */
  const unheard = new Set<string>();
  let ringing = false;
  let pausedUntil = 0;

  const want = (keys: readonly CursorKey[]) =>
    keys.forEach((key) => wanted.set(idOf(key), key));

  async function ringOne(id: string, key: CursorKey): Promise<void> {
    wanted.delete(id);
    unheard.add(id);
    try {
      await ring(deps, key);
    } catch (error) {
      if (pausedUntil === 0)
        logger.warn(
          { err: error, ...key },
          "Temporal does not accept the news of uploads; they are sent again",
        );
      pausedUntil = elapsed() + AFTER_FAILURE_MS;
      unheard.delete(id);
      want([key]);
    }
  }

  return {
    want,
    /** Wants a ring for those of the cursors that do not have an unanswered ring. */
    wantHeard: (keys: readonly CursorKey[]) =>
      want(keys.filter((key) => !unheard.has(idOf(key)))),
    /** Called when the workflow of a cursor reads its events, or when the cursor is deleted. */
    heard: (key: CursorKey) => void unheard.delete(idOf(key)),
    async ringAll(): Promise<void> {
      if (wanted.size === 0 || ringing || !deps.temporalUp() || elapsed() < pausedUntil)
        return;
      ringing = true;
      pausedUntil = 0;
      await Promise.all([...wanted].map(([id, key]) => limit(ringOne, id, key)));
      ringing = false;
    },
    limit,
  };
}

const idOf = ({ taskKey, clusterId }: CursorKey) => `${taskKey}/${clusterId}`;
