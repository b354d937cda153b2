import pLimit from "p-limit";
import { TransferError } from "../../../../domain/failure.ts";
import { unlessAborted } from "../../unless-aborted.ts";

/** Bytes of documents of which every image may hold as many as it needs while others are copied. */
const FEW = 1024 * 1024;
/** The turn of images that hold more; all copies of the process share it. */
const turn = pLimit(1);

/**
 * What the copy of an image holds: bytes of foreign documents (manifests that wait for their parts, lists of
 * attachments), and how many entries those lists have. `take` throws "cancelled" when the bytes become more than FEW
 * and the image is not `alone`; `isCrowded` is true from then on.
 */
export type Held = {
  readonly alone: boolean;
  readonly isCrowded: boolean;
  readonly attachments: { entries: number; letters: number };
  take: (bytes: number) => void;
  give: (bytes: number) => void;
};

export function createHeld(alone: boolean): Held {
  let held = 0;
  let isCrowded = false;
  return {
    alone,
    get isCrowded() {
      return isCrowded;
    },
    attachments: { entries: 0, letters: 0 },
    take(bytes) {
      held += bytes;
      isCrowded ||= !alone && held > FEW;
      if (isCrowded) throw new TransferError("cancelled", "stopped");
    },
    give: (bytes) => void (held -= bytes),
  };
}

/**
 * Copies an image, and once more from its beginning when it turns out to hold more than FEW: it then waits for its
 * turn among such images, so that the process holds the large documents of one image only. While it waits it
 * holds nothing and works on no part that another image may wait for, so no two images wait for each other.
 */
export async function holding<C extends { held: Held; signal: AbortSignal }, T>(
  copy: C,
  work: (copy: C) => Promise<T>,
): Promise<T> {
  try {
    return await work(copy);
  } catch (error) {
    if (!copy.held.isCrowded || copy.signal.aborted) throw error;
  }
  return inTurn(copy.signal, () => work({ ...copy, held: createHeld(true) }));
}

async function inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const place = new Promise<() => void>((enter) => {
    void turn(() => new Promise<void>((leave) => enter(leave)));
  });
  try {
    await unlessAborted(place, signal);
    return await work();
  } finally {
    // A copy that was stopped while it waited leaves as soon as its turn comes.
    void place.then((leave) => leave());
  }
}
