import {
  MOST_SKEW_MS,
  NONCE_HEADER,
  TIME_HEADER,
} from "../../activities/secrets/internal.ts";

/** How many requests of one sender may be late: the others came before, but were signed after them. */
const MOST_LATE = 4_096;
const BITS = 32;
const MOST_SENDERS = 10_000;
const NONCE = /^([0-9a-f]{24})\.([1-9]\d{0,14})$/;

/**
 * `newest`: the highest number that came; bit n of `seen` stands for the last such number that is n modulo
 * MOST_LATE; `since`, `last`: only requests signed after the former are taken, the latter is the time of the
 * newest one (by the clock `ticks`).
 */
type Sender = { newest: number; seen: Uint32Array; since: number; last: number };

/**
 * Creates the function that decides whether a request with a good signature comes for the first time. A
 * sender numbers its requests, so half a KiB for each sender is enough, however many requests it sends.
 * Where the memory does not reach, that is for requests that were signed before this process began or
 * before a sender was forgotten because there are too many, the answer is no; the sender tries again with
 * a new number. `now` in epoch ms; `ticks`: a clock that nobody sets, by which what came before is told; `begun`: only
 * requests that were signed later are taken (by that clock).
 */
export function createOnce(
  now: () => number,
  mostSenders = MOST_SENDERS,
  ticks: () => number = now,
  begun = ticks() - 1,
) {
  const senders = new Map<string, Sender>();
  let since = begun;

  function forget(): void {
    const [oldest] = senders;
    if (!oldest || senders.size < mostSenders) return;
    const [name, { last }] = oldest;
    senders.delete(name);
    since = Math.max(since, last);
  }

  return function isFirst(header: (name: string) => string): boolean {
    const [, name = "", digits = ""] = NONCE.exec(header(NONCE_HEADER)) ?? [];
    const [number, time] = [Number(digits), Number(header(TIME_HEADER))];
    if (name === "" || !(time >= now() - MOST_SKEW_MS)) return false;
    const signed = ticks() - (now() - time);
    const known = senders.get(name);
    if (!known) forget();
    const sender = known ?? { newest: number, seen: noneSeen(), since, last: signed };
    if (signed <= sender.since) return false;
    // The sender that was heard last is forgotten last.
    senders.delete(name);
    senders.set(name, sender);
    sender.last = Math.max(sender.last, signed);
    return take(sender, number);
  };
}

const noneSeen = () => new Uint32Array(MOST_LATE / BITS);

function take(sender: Sender, number: number): boolean {
  if (number <= sender.newest - MOST_LATE) return false;
  const from = Math.max(sender.newest + 1, number - MOST_LATE + 1);
  for (let skipped = from; skipped <= number; skipped += 1) set(sender.seen, skipped, 0);
  sender.newest = Math.max(sender.newest, number);
  if (isSet(sender.seen, number)) return false;
  set(sender.seen, number, 1);
  return true;
}

const bitOf = (number: number) => 1 << (number % BITS);
const wordOf = (number: number) => Math.floor((number % MOST_LATE) / BITS);
const isSet = (seen: Uint32Array, number: number): boolean =>
  ((seen[wordOf(number)] ?? 0) & bitOf(number)) !== 0;

function set(seen: Uint32Array, number: number, value: 0 | 1): void {
  const word = seen[wordOf(number)] ?? 0;
  seen[wordOf(number)] = value === 1 ? word | bitOf(number) : word & ~bitOf(number);
}
