import {
  nextBlob,
  putScrubPlace,
  scrubPlace,
  type ScrubPlace,
} from "../../db/content/scrub.ts";
import { turn } from "../../db/turns.ts";
import type { ContentDeps } from "../content/damage.ts";
import { examineContent } from "../content/examine.ts";
import { isFull } from "../http/failure-status.ts";
import { backgroundPace } from "../content/pace.ts";
import { elapsed } from "../../domain/elapsed.ts";

const DAY = 86_400_000;
/** Period (ms) of the steps of a scrub. */
const STEP_MS = 15_000;
/** Number of contents after which the place is stored, so that a kill costs little. */
const STORED_AFTER = 64;
/** Part of the period in which a round should end: the rest is for what delays it. */
const AIM = 0.95;
/** A round that is late is read this many times as fast as one that is in time, at most. */
const MOST_HASTE = 10;
/** Hex digits of a digest that give its place among all digests; so many fit into a double. */
const DIGITS = 13;

type ScrubDeps = ContentDeps & {
  /** Days in which everything is read; 0: nothing is. */
  days: number;
};

/**
 * Reads all contents again and again, each once in `days`, and condemns those that are gone or wrong.
 * Contents are read in the order of their digests, which spreads them evenly over the time. The place is in
 * the database, so that a restart goes on there.
 */
export function createScrub(deps: ScrubDeps) {
  const { db, now, logger, days } = deps;
  const stopping = new AbortController();
  const pace = backgroundPace(stopping.signal);
  let running: Promise<void> | null = null;

  async function advance(ms: number): Promise<void> {
    let place = scrubPlace(db, now());
    const target = fractionOf(place.position) + ms * speed(place, days * DAY, now());
    for (let read = 0; ; read++) {
      await turn();
      stopping.signal.throwIfAborted();
      const next = nextBlob(db, place.position);
      if (next === undefined && target >= 1) {
        putScrubPlace(db, { position: "", roundDate: now(), doneDate: now() });
        return;
      }
      if (next === undefined || fractionOf(next.sha256) > target) break;
      try {
        await examineContent(deps, next.sha256, pace);
      } catch (error) {
        stopping.signal.throwIfAborted();
        logger.warn({ err: error, sha256: next.sha256 }, "a content cannot be read");
        // Damage that a full disk keeps from being noted is found again by the next step.
        if (isFull(error)) return;
      }
      place = { ...place, position: next.sha256 };
      if (read % STORED_AFTER === STORED_AFTER - 1) putScrubPlace(db, place);
    }
    // Up to the target no content is left, so the place is there, even if the last content is far before.
    putScrubPlace(db, { ...place, position: later(place.position, target) });
  }

  return {
    /** Goes on as far as `ms` of the time of a round allow. */
    advance,
    /** Goes on from now. Returns a function that ends this; once it resolves, the database may be closed. */
    start(): () => Promise<void> {
      if (days === 0) return async () => undefined;
      let last = elapsed();
      const timer = setInterval(() => {
        if (running) return;
        const at = elapsed();
        running = advance(at - last)
          .catch((error: unknown) => {
            if (!stopping.signal.aborted)
              logger.error({ err: error }, "reading the contents again failed");
          })
          .finally(() => (running = null));
        last = at;
      }, STEP_MS);
      return async () => {
        clearInterval(timer);
        stopping.abort();
        await running;
      };
    },
  };
}

/**
 * Returns the part of all digests to read in a millisecond, so that the round ends in time. A clock that was
 * set changes it between the ordinary speed and MOST_HASTE times that.
 */
function speed({ position, roundDate }: ScrubPlace, period: number, now: number): number {
  const left = Math.min(Math.max(roundDate + period * AIM - now, 0), period * AIM);
  return Math.max(
    Math.min((1 - fractionOf(position)) / Math.max(left, 1), MOST_HASTE / period),
    1 / period,
  );
}

/** Returns the place of a digest, or of the beginning of one, among all digests: from 0 to 1. */
const fractionOf = (digest: string): number =>
  Number.parseInt(digest.slice(0, DIGITS).padEnd(DIGITS, "0"), 16) / 16 ** DIGITS;

/** Returns the later of a digest and the beginning of the digests at a place. */
function later(digest: string, fraction: number): string {
  const at = Math.min(Math.floor(fraction * 16 ** DIGITS), 16 ** DIGITS - 1);
  const prefix = at.toString(16).padStart(DIGITS, "0");
  return prefix > digest ? prefix : digest;
}
