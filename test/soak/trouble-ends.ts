import type { Fault } from "../rigs/servers/proxy.ts";
import type { WayName, World } from "./world.ts";

const END_KINDS = ["slow", "silent", "503", "429", "reset", "cut"] as const;
type EndTrouble = {
  at: number;
  way: Exclude<WayName, "crowd">;
  kind: (typeof END_KINDS)[number];
  ms: number;
};

const WAYS = ["edge", "registry", "source"] as const;
const SLOWEST_MS = 15_000;

/**
 * Draws random troubles: which ends are slow (up to 15 s for a request), silent, refuse requests or cut connections,
 * and for how long.
 */
export function drawEndTroubles(random: () => number, lengthMs: number): EndTrouble[] {
  const troubles: EndTrouble[] = [];
  for (
    let at = 1_000 + random() * 5_000;
    at < lengthMs;
    at += 5_000 + random() * 12_000
  ) {
    const [way, kind, length] = [random(), random(), random()];
    const ms = Math.min(4_000 + length * 50_000, lengthMs - at);
    troubles.push({
      at,
      way: WAYS[Math.floor(way * WAYS.length)] ?? "edge",
      kind: END_KINDS[Math.floor(kind * END_KINDS.length)] ?? "slow",
      ms,
    });
  }
  return troubles;
}

const FAULTS: Record<EndTrouble["kind"], (random: () => number) => Fault> = {
  slow: (random) => ({ kind: "latency", ms: random() * SLOWEST_MS }),
  silent: () => ({ kind: "hang" }),
  "503": () => ({ kind: "answer", status: 503 }),
  "429": () => ({ kind: "answer", status: 429, headers: { "retry-after": "5" } }),
  reset: () => ({ kind: "reset" }),
  // Cuts either the request or its answer.
  cut: (random) =>
    random() < 0.5
      ? { kind: "cutRequest", afterBytes: 500 }
      : { kind: "cutAnswer", afterBytes: 20 },
};

/**
 * Applies a trouble to the connection to an end, for the trouble's duration. A later trouble of the
 * same connection replaces it.
 */
export function makeEndTrouble(
  { ways, journal, random }: World,
  { way, kind, ms }: EndTrouble,
): void {
  const fault = () => FAULTS[kind](random);
  ways[way].fault = fault;
  journal.count(`${kind} end`);
  journal.note(`the ${way} is ${kind} for ${Math.round(ms / 1000)} s`);
  setTimeout(() => {
    if (ways[way].fault === fault) ways[way].fault = () => null;
  }, ms).unref();
}

/** Makes the crowd's end answer each request after 15 s. */
export function slowCrowd({ ways }: World): void {
  ways.crowd.fault = () => ({ kind: "latency", ms: SLOWEST_MS });
}

export function healEnds({ ways }: World): void {
  for (const way of Object.values(ways)) way.fault = () => null;
}
