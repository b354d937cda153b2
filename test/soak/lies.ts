import { createHash } from "node:crypto";
import { AMPLIFIERS } from "../hostile/amplifiers.ts";
import {
  cutAnswer,
  drip,
  flipped,
  half,
  header,
  lyingLength,
  portal,
  rewritten,
  sink,
  type Rule,
} from "../rigs/servers/faulty.ts";
import type { Fault } from "../rigs/servers/proxy.ts";

/** Connections over which ends lie: an instance and a registry as targets, registries of images and npm as sources. */
export const LYING_WAYS = ["liar", "liarTarget", "liarSource", "liarNpm"] as const;
export type LyingWay = (typeof LYING_WAYS)[number];

const MIB = 1024 * 1024;
const LARGE = 16 * MIB;
const PAGE = 100;

/** The field of an answer of a path whose value an end can make large. */
const FIELDS: [RegExp, string][] = [
  [/\/tags\/list/, "tags"],
  [/\/_catalog/, "repositories"],
  [/\/manifests\//, "layers"],
  [/\/referrers\//, "manifests"],
  [/\/-\/v1\/search/, "objects"],
  [/\/npm\//, "versions"],
];
const fieldOf = (path: string): string =>
  FIELDS.find(([pattern]) => pattern.test(path))?.[1] ?? "data";

const asked = (method: string): boolean => method === "GET";
const reads =
  (fault: Fault): Rule =>
  ({ method }) =>
    asked(method) ? fault : null;

/** Answers with 16 MiB that become large in memory, or go deep. */
function amplified(random: () => number): Rule {
  const kind = AMPLIFIERS[Math.floor(random() * AMPLIFIERS.length)];
  return ({ method, path }) => {
    if (!asked(method) || kind === undefined) return null;
    const body = async function* () {
      yield* kind.body(fieldOf(path), LARGE);
    };
    return {
      kind: "answer",
      status: 200,
      headers: { "content-type": "application/json" },
      body,
    };
  };
}

/** Continues each list for ever, with new entries or with none. */
function endless(random: () => number): Rule {
  const size = random() < 0.5 ? PAGE : 0;
  let at = 0;
  return ({ method, path }) => {
    if (!asked(method) || !/\/tags\/list|\/_catalog|\/referrers\/|\/search/.test(path))
      return null;
    at += 1;
    const names = Array.from({ length: size }, (_, i) => `e${at * PAGE + i}`);
    const entries = path.includes("/referrers/")
      ? names.map((name) => ({ mediaType: "x", digest: digestOf(name), size: 1 }))
      : path.includes("/search")
        ? names.map((name) => ({ package: { name } }))
        : names;
    const { pathname } = new URL(path, "http://end");
    return {
      kind: "answer",
      status: 200,
      headers: { link: `<${pathname}?n=100&last=page${at}>; rel="next"` },
      body: JSON.stringify({ total: 1e15, [fieldOf(path)]: entries }),
    };
  };
}

/** Asks for a token that is another one each time, and takes none. */
function changingTokens(): Rule {
  let at = 0;
  return ({ path, headers }) => {
    at += 1;
    const host = headers.host ?? "";
    return path.startsWith("/lying-token")
      ? { kind: "answer", status: 200, body: JSON.stringify({ token: `token-${at}` }) }
      : {
          kind: "answer",
          status: 401,
          headers: {
            "www-authenticate": `Bearer realm="http://${host}/lying-token",service="s${at}"`,
          },
        };
  };
}

const digestOf = (text: string): string =>
  `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** The lies that an end can tell; `elsewhere`: the address of a server that nobody may give a password. */
export const LIES = {
  "16 MiB of JSON": (random) => amplified(random),
  "an endless list": (random) => endless(random),
  "a flipped bit": () => reads(flipped),
  "a wrong digest": () => (request) =>
    request.path.includes("/npm/")
      ? rewriteDigests
      : header("docker-content-digest", digestOf(request.path)),
  "a length that is too long": () => reads(lyingLength(7)),
  "a length that is too short": () => reads(lyingLength(-7)),
  "a dripping answer": () => reads(drip(1, 500)),
  "a cut answer": () => reads(cutAnswer(20)),
  "half of the answer": () => reads(half),
  "a page of HTML": () => reads(portal),
  "a redirect": (_random, elsewhere) => (request) => ({
    kind: "answer",
    status: 307,
    headers: { location: `${elsewhere}${request.path}` },
  }),
  "changing tokens": () => changingTokens(),
  "taken and not kept": () => (request) =>
    ["GET", "HEAD"].includes(request.method) ? null : sink(),
} satisfies Record<string, (random: () => number, elsewhere: string) => Rule>;

const rewriteDigests = rewritten(/"sha512-[^"]*"/g, `"sha512-${"A".repeat(86)}=="`);

export type Lie = keyof typeof LIES;
