import pLimit from "p-limit";
import type { CursorKey } from "../../db/pending/cursors.ts";
import type { Logger } from "../deps.ts";
import { ring, type RingDeps } from "./ring.ts";

export type RingerDeps = RingDeps & {
  now: () => number;
  temporalUp: () => boolean;
  logger: Pick<Logger, "warn">;
};

const RINGS_AT_ONCE = 8;
const AFTER_FAILURE_MS = 1_000;

/** Rings the workflows of the wanted cursors. A ring that Temporal refuses is wanted again, after a pause of 1 s. */
export function createRinger(deps: RingerDeps) {
  const { now, logger } = deps;
  const limit = pLimit(RINGS_AT_ONCE);
  const wanted = new Map<string, CursorKey>();
  /** Rung cursors whose workflow has not looked since: another ring would say nothing new. */
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
      pausedUntil = now() + AFTER_FAILURE_MS;
      unheard.delete(id);
      want([key]);
    }
  }

  return {
    want,
    /** Wants those whose last ring was heard. */
    wantHeard: (keys: readonly CursorKey[]) =>
      want(keys.filter((key) => !unheard.has(idOf(key)))),
    /** The workflow of a cursor looks, or its cursor goes. */
    heard: (key: CursorKey) => void unheard.delete(idOf(key)),
    async ringAll(): Promise<void> {
      if (wanted.size === 0 || ringing || !deps.temporalUp() || now() < pausedUntil)
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
