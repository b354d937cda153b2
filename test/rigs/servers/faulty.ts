import { gzipSync } from "node:zlib";
import { largeBody } from "./faulty-bodies.ts";
import type { Fault, FaultProxy, SeenRequest } from "./proxy.ts";

/** Decides which requests break, and how: the proxy's `fault`. Create a rule for each use, since some rules count. */
export type Rule = FaultProxy["fault"];
type Asked = Parameters<Rule>[0];

/** Methods that change nothing, in all protocols (RFC 9110 §9.2.1, RFC 4918, RFC 5323). */
export const SAFE = ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"];

type Which = {
  /** `ask`: methods that change nothing; `write`: all others; `get`: GET only. */
  does?: "ask" | "write" | "get";
  method?: string;
  path?: RegExp;
};

const chosen =
  ({ does, method, path }: Which) =>
  (asked: Asked): boolean =>
    (does === undefined ||
      {
        ask: SAFE.includes(asked.method),
        write: !SAFE.includes(asked.method),
        get: asked.method === "GET",
      }[does]) &&
    (method === undefined || method === asked.method) &&
    (path === undefined || path.test(asked.path));

/** One fault for all requests, or one for each; `count` = number of chosen requests before this one. */
export type Faults = Fault | ((count: number, asked: Asked) => Fault | null);

export const faultOf = (faults: Faults, count: number, asked: Asked): Fault | null =>
  typeof faults === "function" ? faults(count, asked) : faults;

/** Breaks each chosen request. */
export function on(which: Which, fault: Faults): Rule {
  const isChosen = chosen(which);
  let count = 0;
  return (asked) => {
    if (!isChosen(asked)) return null;
    return faultOf(fault, count++, asked);
  };
}

export const every = (fault: Faults): Rule => on({}, fault);
export const asking = (fault: Fault): Rule => on({ does: "ask" }, fault);
export const getting = (fault: Fault): Rule => on({ does: "get" }, fault);
export const writing = (fault: Fault): Rule => on({ does: "write" }, fault);
/** Breaks only the chosen request with index `at`, counted from 0. */
export const nth = (at: number, fault: Fault, which: Which = {}): Rule =>
  on(which, (count) => (count === at ? fault : null));

export const status = (
  code: number,
  { headers = {}, body = "" }: { headers?: Record<string, string>; body?: string } = {},
): Fault => ({
  kind: "answer",
  status: code,
  headers,
  body,
});
export const silence: Fault = { kind: "hang" };
/** Reads the request and never answers. */
export const listening: Fault = { kind: "hang", reads: true };
export const cutAnswer = (afterBytes: number): Fault => ({
  kind: "cutAnswer",
  afterBytes,
});
export const lost: Fault = { kind: "loseAnswer" };
export const cutRequest = (afterBytes: number): Fault => ({
  kind: "cutRequest",
  afterBytes,
});
export const stall = (afterBytes: number): Fault => ({ kind: "stallAnswer", afterBytes });
export const drip = (bytes: number, everyMs: number): Fault => ({
  kind: "dripAnswer",
  bytes,
  everyMs,
});
/** Sends half of the answer, with a Content-Length to match. */
export const half: Fault = {
  kind: "alter",
  body: (whole) => whole.subarray(0, Math.floor(whole.length / 2)),
};
/** Sends an HTML page in place of the answer, as captive portals and proxies do. */
export const portal: Fault = {
  kind: "alter",
  status: 200,
  headers: { "content-type": "text/html" },
  body: () => Buffer.from("<!doctype html><title>Log in</title>"),
};
/** Declares a Content-Length that is `by` bytes longer than the body; shorter if `by` is negative. */
export const lyingLength = (by: number): Fault => ({
  kind: "alter",
  headers: (whole) => ({ "content-length": String(Math.max(0, whole.length + by)) }),
});
/** Flips one bit of the body. */
export const flipped: Fault = {
  kind: "alter",
  body: (whole) => withByte(whole, Math.floor(whole.length / 2)),
};
/** Compresses the body with gzip and declares that. */
export const zipped: Fault = {
  kind: "alter",
  headers: { "content-encoding": "gzip" },
  body: (whole) => gzipSync(whole),
};
/** Replaces one header's value; null removes the header. */
export const header = (name: string, value: string | null): Fault => ({
  kind: "alter",
  headers: { [name]: value },
});
/** Replaces the text that matches `from`. */
export const rewritten = (from: RegExp, to: string): Fault => ({
  kind: "alter",
  body: (whole) => Buffer.from(whole.toString("utf8").replace(from, to)),
});
/** Answers with a body of `size` bytes that is generated while it is sent. */
export const large = (size: number, headers: Record<string, string> = {}): Fault => ({
  kind: "answer",
  status: 200,
  headers: { "content-length": String(size), ...headers },
  body: () => largeBody(size),
});
/** Reads the whole request, reports success and keeps nothing. */
export const sink = (code = 201, body = "{}"): Fault => ({
  kind: "swallow",
  status: code,
  headers: { "content-type": "application/json" },
  body,
});

/** Returns the result of `work` under `rule`, and the requests that it made. */
export async function during<T>(
  proxy: FaultProxy,
  rule: Rule,
  work: () => Promise<T>,
): Promise<{ answer: T; requests: SeenRequest[] }> {
  const before = proxy.requests.length;
  proxy.fault = rule;
  try {
    const answer = await work();
    return { answer, requests: proxy.requests.slice(before) };
  } finally {
    proxy.fault = () => null;
  }
}

/** Returns the result of `work` without faults, and its requests; none when there is no proxy. */
export const watching = async <T>(
  proxy: FaultProxy | null,
  work: () => Promise<T>,
): Promise<{ answer: T; requests: SeenRequest[] }> =>
  proxy === null
    ? { answer: await work(), requests: [] }
    : during(proxy, () => null, work);

function withByte(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
