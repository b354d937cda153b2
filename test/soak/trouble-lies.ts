import { once } from "node:events";
import { createServer } from "node:http";
import type { World } from "./world.ts";
import { LIES, type Lie } from "./lies.ts";

/** Connections over which ends lie: an instance and a registry as targets, registries of images and npm as sources. */
export const LYING_WAYS = ["liar", "liarTarget", "liarSource", "liarNpm"] as const;
export type LyingWay = (typeof LYING_WAYS)[number];
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

/** Starts a server to which ends redirect. It belongs to nobody, so nobody may send it a login. */
export async function startElsewhere(): Promise<{
  url: string;
  logins: string[];
  stop: () => Promise<void>;
}> {
  const logins: string[] = [];
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    if (authorization !== undefined)
      logins.push(`${request.method} ${request.url}: ${authorization.slice(0, 12)}…`);
    request.resume();
    response.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    logins,
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
