import { setTimeout as sleepFor } from "node:timers/promises";
import { isIPv6 } from "node:net";
import { groupsOf } from "../../domain/ipv6.ts";
import { elapsed } from "../../domain/elapsed.ts";
import { setBounded } from "../../domain/bounded.ts";

const FIRST_MS = 100;
const MOST_MS = 5_000;
const FORGET_MS = 10 * 60_000;
/** How many refusals of one network, and of all, wait at the same time. */
const MOST_WAITING = 100;
const MOST_WAITING_IN_ALL = 1_000;
const MOST_NETWORKS = 10_000;

type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;
type Known = { failures: number; last: number };
type Waiting = { network: string; drop: AbortController };

/**
 * Creates the brake on wrong logins: the answer to each one waits, longer with each from the same network, up to
 * MOST_MS. Only refusals wait; whether a login is right has been decided before. When too many wait, the one that
 * has waited longest is dropped. `ticks`: ms of a clock that nobody sets.
 */
export function createBrake(
  ticks: () => number = elapsed,
  sleep: Sleep = (ms, signal) => sleepFor(ms, undefined, { signal }),
) {
  const networks = new Map<string, Known>();
  const waiting = new Set<Waiting>();

  function makeRoom(network: string): void {
    const ofNetwork = [...waiting].filter((each) => each.network === network);
    const [oldest] = ofNetwork.length >= MOST_WAITING ? ofNetwork : waiting;
    if (ofNetwork.length < MOST_WAITING && waiting.size < MOST_WAITING_IN_ALL) return;
    if (!oldest) return;
    waiting.delete(oldest);
    oldest.drop.abort();
  }

  /** Counts a wrong login from an address. Resolves once it may be answered; false: it was dropped. */
  return async function wait(address: string): Promise<boolean> {
    const network = networkOf(address);
    const delay = delayOf(count(networks, network, ticks()));
    makeRoom(network);
    const entry = { network, drop: new AbortController() };
    waiting.add(entry);
    try {
      await sleep(delay, entry.drop.signal);
      return true;
    } catch (error) {
      if (entry.drop.signal.aborted) return false;
      throw error;
    } finally {
      waiting.delete(entry);
    }
  };
}

/** Returns how many wrong logins of a network came before this one. */
function count(networks: Map<string, Known>, network: string, time: number): number {
  const known = networks.get(network);
  const before = known && time - known.last < FORGET_MS ? known.failures : 0;
  networks.delete(network);
  setBounded(networks, network, { failures: before + 1, last: time }, MOST_NETWORKS);
  return before;
}

const delayOf = (before: number): number =>
  before === 0 ? 0 : Math.min(MOST_MS, FIRST_MS * 2 ** (before - 1));

/**
 * Returns the network under which a client is counted: an IPv4 address, or the /64 network in which one IPv6
 * client can choose addresses at will.
 */
export function networkOf(address: string): string {
  return isIPv6(address) ? groupsOf(address).slice(0, 4).join(":") : address;
}
