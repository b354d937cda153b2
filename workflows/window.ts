import { CancellationScope, isCancellation, sleep } from "@temporalio/workflow";
import type { BatchResult } from "../activities/transfer/activities.ts";
import type { Bell } from "./bell.ts";
import { clock, summaryOf } from "./control.ts";
import { LONGEST_WAIT_MS, PROBE, SHORTEST_WAIT_MS } from "./options.ts";
import type { Batch } from "./transfer.ts";

/**
 * Result of one cut. `left`: more can be cut, from `due` on (epoch ms), or if that is null, now or after a
 * signal. `reason`: why it waits until then.
 */
type Cut = {
  batches: readonly Batch[];
  left: boolean;
  due: number | null;
  reason?: string;
};

type Options = {
  /** Maximum number of batches in flight at once. */
  most: number;
  /** Rings when there is more to cut. */
  bell: Bell;
  onResult: (result: BatchResult) => void;
  /** Called with what the window waits for, and with null when it waits no longer. */
  onWait: (reason: string | null) => void;
};

/** The sliding window of a targetRun: its batches in flight, and whether and when more is to be cut. */
export function createWindow({ most, bell, onResult, onWait }: Options) {
  const inFlight = new Set<Promise<void>>();
  let probing = false;
  let left = true;
  let due: number | null = null;
  let reason: string | undefined;
  let broken: unknown;

  async function track(sending: Promise<BatchResult>): Promise<void> {
    const result = await sending;
    // If a whole batch has to be tried again, the cluster is in trouble: one batch at a time finds out when
    // that is over.
    probing = result.total > 0 && result.again === result.total;
    left ||= result.again > 0 || (result.rest ?? 0) > 0;
    onResult(result);
  }

  function breakOff(error: unknown): void {
    broken ??= error;
  }

  function start(sending: Promise<BatchResult>): void {
    const sent: Promise<void> = track(sending)
      .catch(breakOff)
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
  }

  return {
    breakOff,
    /** Returns false when nothing is left to cut or in flight, or when something broke. */
    goesOn(): boolean {
      if (broken !== undefined) return false;
      const more = bell.heard();
      left ||= more;
      return left || inFlight.size > 0;
    },
    /** Number of batches that may be cut now; 0 when nothing is left to cut or the window is full. */
    room: () => (left ? Math.max((probing ? PROBE : most) - inFlight.size, 0) : 0),
    /** Call before a cut is requested: a batch that ends meanwhile may leave artifacts that the cut does not know. */
    expectCut(): void {
      left = false;
    },
    fill(cut: Cut, send: (batch: Batch) => Promise<BatchResult>): void {
      cut.batches.forEach((batch) => start(send(batch)));
      left ||= cut.left;
      ({ due, reason } = cut);
    },
    /**
     * Waits until a batch ends, the bell rings or, if `room` is above 0, something is due; resolves at once
     * when nothing is left. Not async: another turn of the event loop may change the order of commands, and
     * runs under way could not be replayed.
     */
    change(room: number): Promise<void> {
      if (!left && inFlight.size === 0) return Promise.resolve();
      const next = left && room > 0 ? { due, reason, onWait } : NOTHING_DUE;
      return nextChange(inFlight, next, bell);
    },
    /** Waits for all batches in flight; throws the first error, else returns whether everything was cut. */
    async close(): Promise<boolean> {
      await Promise.all(inFlight);
      if (broken !== undefined) throw broken;
      return !left;
    },
  };
}

type Due = {
  due: number | null;
  reason?: string | undefined;
  onWait?: Options["onWait"];
};

const NOTHING_DUE: Due = { due: null };

async function nextChange(
  inFlight: Set<Promise<void>>,
  { due, reason, onWait }: Due,
  bell: Bell,
): Promise<void> {
  if (due === null && inFlight.size > 0) return Promise.race([...inFlight, bell.rings()]);
  const wait = Math.min(
    Math.max((due ?? 0) - Date.now(), SHORTEST_WAIT_MS),
    LONGEST_WAIT_MS,
  );
  const summary = summaryOf("try again", due ? `at ${clock(due)}` : "soon", reason);
  if (reason) onWait?.(summary);
  const timer = new CancellationScope();
  const slept = timer
    .run(() => sleep(wait, { summary }))
    .catch((error: unknown) => {
      if (!isCancellation(error) || CancellationScope.current().consideredCancelled)
        throw error;
    });
  await Promise.race([...inFlight, bell.rings(), slept]);
  timer.cancel();
  onWait?.(null);
}
