import { gzipSync } from "node:zlib";
import { largeBody } from "./faulty-bodies.ts";
import type { Fault, FaultProxy, SeenRequest } from "./proxy.ts";

/** Which requests break, and how: the proxy's `fault`. Rules are made anew for each use, since some of them count. */
export type Rule = FaultProxy["fault"];
type Asked = Parameters<Rule>[0];

/** Methods that only ask, whatever the protocol (RFC 9110 §9.2.1, RFC 4918, RFC 5323). */
export const SAFE = ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"];

type Which = {
  /** `ask`: methods that change nothing; `write`: all others; `get`: those whose answer has a body of interest. */
  does?: "ask" | "write" | "get";
  method?: string;
  path?: RegExp;
};

const chosen =
  ({ does, method, path }: Which) =>
  (asked: Asked): boolean =>
    (does === undefined ||
      { ask: SAFE.includes(asked.method), write: !SAFE.includes(asked.method), get: asked.method === "GET" }[does]) &&
    (method === undefined || method === asked.method) &&
    (path === undefined || path.test(asked.path));

/** One fault for all, or one for each request; `count` is how many of them there were before. */
export type Faults = Fault | ((count: number, asked: Asked) => Fault | null);

export const faultOf = (faults: Faults, count: number, asked: Asked): Fault | null =>
  typeof faults === "function" ? faults(count, asked) : faults;

/** Each chosen request breaks. */
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
/** The request number `at`, from 0, of those that are chosen. */
export const nth = (at: number, fault: Fault, which: Which = {}): Rule =>
  on(which, (count) => (count === at ? fault : null));
/** The first rule that has something to say. */
export const either =
  (...rules: Rule[]): Rule =>
  (asked) =>
    rules.reduce<Fault | null>((found, rule) => found ?? rule(asked), null);

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
/** Takes what it is sent, and says nothing. */
export const listening: Fault = { kind: "hang", reads: true };
export const cutAnswer = (afterBytes: number): Fault => ({ kind: "cutAnswer", afterBytes });
export const lost: Fault = { kind: "loseAnswer" };
export const cutRequest = (afterBytes: number): Fault => ({ kind: "cutRequest", afterBytes });
export const stall = (afterBytes: number): Fault => ({ kind: "stallAnswer", afterBytes });
export const drip = (bytes: number, everyMs: number): Fault => ({ kind: "dripAnswer", bytes, everyMs });
/** Half of the answer, with a length as if that were all of it. */
export const half: Fault = { kind: "alter", body: (whole) => whole.subarray(0, Math.floor(whole.length / 2)) };
/** A page for people in place of the answer, as portals and proxies send them. */
export const portal: Fault = {
  kind: "alter",
  status: 200,
  headers: { "content-type": "text/html" },
  body: () => Buffer.from("<!doctype html><title>Log in</title>"),
};
/** The answer says that its body is so much longer than it is; below 0, shorter. */
export const lyingLength = (by: number): Fault => ({
  kind: "alter",
  headers: (whole) => ({ "content-length": String(Math.max(0, whole.length + by)) }),
});
/** One bit of the body is another. */
export const flipped: Fault = { kind: "alter", body: (whole) => withByte(whole, Math.floor(whole.length / 2)) };
/** Coded, and it says so. */
export const zipped: Fault = {
  kind: "alter",
  headers: { "content-encoding": "gzip" },
  body: (whole) => gzipSync(whole),
};
/** A header with another value than the server's, or without one. */
export const header = (name: string, value: string | null): Fault => ({ kind: "alter", headers: { [name]: value } });
/** Other text in place of what matches. */
export const rewritten = (from: RegExp, to: string): Fault => ({
  kind: "alter",
  body: (whole) => Buffer.from(whole.toString("utf8").replace(from, to)),
});
/** Pages that say there is one more, each at the address that `next` gives it (RFC 8288). */
export const linked =
  (next: (count: number) => string) =>
  (count: number): Fault =>
    header("link", `<${next(count)}>; rel="next"`);
/** A body of `size` bytes that is made as it goes. */
export const large = (size: number, headers: Record<string, string> = {}): Fault => ({
  kind: "answer",
  status: 200,
  headers: { "content-length": String(size), ...headers },
  body: () => largeBody(size),
});
/** Everything is taken and nothing kept. */
export const sink = (code = 201, body = "{}"): Fault => ({
  kind: "swallow",
  status: code,
  headers: { "content-type": "application/json" },
  body,
});

/** What `work` answers while `rule` holds, and the requests that it made. */
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

/** The requests that `work` makes where nothing breaks; none where no network leads to its end. */
export const watching = async <T>(
  proxy: FaultProxy | null,
  work: () => Promise<T>,
): Promise<{ answer: T; requests: SeenRequest[] }> =>
  proxy === null ? { answer: await work(), requests: [] } : during(proxy, () => null, work);

function withByte(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
