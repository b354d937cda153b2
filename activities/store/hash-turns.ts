/**
 * When this many bytes were hashed in one round of the event loop, further hashing waits for the next round
 * (64 KiB take a third of a millisecond). The thread that hashes also answers requests: with this limit it
 * answers them in time, however many bodies arrive together.
 */
const AT_ONCE = 128 * 1024;

const waiting: { bytes: number; begin: () => void }[] = [];
let room = AT_ONCE;
let looking = false;

/** Resolves when `bytes` may be hashed: immediately if the limit allows, otherwise in the order of the calls. */
export function hashTurn(bytes: number): Promise<void> {
  return new Promise((resolve) => {
    waiting.push({ bytes, begin: resolve });
    serve();
  });
}

function serve(): void {
  while (room > 0) {
    const next = waiting.shift();
    if (next === undefined) break;
    room -= next.bytes;
    next.begin();
  }
  if (looking || room === AT_ONCE) return;
  looking = true;
  setImmediate(() => {
    looking = false;
    room = AT_ONCE;
    serve();
  });
}
