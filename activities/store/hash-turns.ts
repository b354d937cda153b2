/**
 * The thread that answers requests makes the digests, too. However many bodies come at once, between two looks of its
 * event loop for input it takes in about this many bytes of them (a third of a millisecond for each 64 KiB), and
 * answers others meanwhile.
 */
const AT_ONCE = 128 * 1024;

const waiting: { bytes: number; begin: () => void }[] = [];
let room = AT_ONCE;
let looking = false;

/** Resolves when so many bytes may be taken in, at once where there is room. First come, first served. */
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
