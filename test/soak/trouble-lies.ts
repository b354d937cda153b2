import type { World } from "./world.ts";
import { LIES, LYING_WAYS, type Lie, type LyingWay } from "./lies.ts";

type LieTrouble = { at: number; way: LyingWay; lie: Lie; ms: number };

const KINDS = Object.keys(LIES) as Lie[];

/** Draws lies for each way, one after the other, with the truth between them. */
export function drawLies(random: () => number, lengthMs: number): LieTrouble[] {
  const draw = (way: LyingWay): LieTrouble[] => {
    const lies: LieTrouble[] = [];
    for (let at = 1_000 + random() * 4_000; at < lengthMs;) {
      const ms = Math.min(3_000 + random() * 12_000, lengthMs - at);
      const lie = KINDS[Math.floor(random() * KINDS.length)] ?? "a flipped bit";
      lies.push({ at, way, lie, ms });
      at += ms + random() * 4_000;
    }
    return lies;
  };
  return LYING_WAYS.flatMap(draw).toSorted((a, b) => a.at - b.at);
}

/** Makes an end lie for a time. */
export function tellLie(
  { ways, journal, random, elsewhere, lied }: World,
  { way, lie, ms }: LieTrouble,
): void {
  const rule = LIES[lie](random, elsewhere.url);
  const fault: typeof rule = (request) => {
    const told = rule(request);
    if (told !== null) {
      lied[way] += 1;
      journal.count(`lie told: ${lie}`);
    }
    return told;
  };
  ways[way].fault = fault;
  journal.note(`the ${way} tells ${lie} for ${Math.round(ms / 1000)} s`);
  setTimeout(() => {
    if (ways[way].fault === fault) ways[way].fault = () => null;
  }, ms).unref();
}
