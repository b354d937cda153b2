import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import { createOnce } from "../../api/internal/once.ts";

const SENDER = "a".repeat(24);
const header = (sender: string, number: number, time: number) => (name: string) =>
  ({ "x-internal-nonce": `${sender}.${number}`, "x-internal-time": String(time) })[
    name
  ] ?? "";
const senderOf = (number: number) => number.toString(16).padStart(24, "0");

test("each number of a sender is taken once, in any order", () => {
  const isFirst = createOnce(() => 1_000);
  const numbers = [5, 3, 4_000, 1, 2, 4, 3_999, 4_001];
  for (const number of numbers)
    expect([number, isFirst(header(SENDER, number, 1_000))]).toEqual([number, true]);
  for (const number of numbers)
    expect([number, isFirst(header(SENDER, number, 1_000))]).toEqual([number, false]);
  expect(isFirst(header(senderOf(1), 5, 1_000))).toBe(true);
});

test("a number that is too old to be remembered is not taken", () => {
  const isFirst = createOnce(() => 1_000);
  expect(isFirst(header(SENDER, 10_000, 1_000))).toBe(true);
  expect(isFirst(header(SENDER, 5_905, 1_000))).toBe(true);
  expect(isFirst(header(SENDER, 5_904, 1_000))).toBe(false);
});

test("a request that was signed before the control plane began is not taken", () => {
  const isFirst = createOnce(() => 1_000);
  expect(isFirst(header(SENDER, 1, 999))).toBe(false);
  expect(isFirst(header(SENDER, 2, 1_000))).toBe(true);
});

test.each([
  ["no nonce", () => ""],
  ["a nonce without a number", (name: string) => (name.endsWith("nonce") ? "a.b" : "1")],
  ["no time", (name: string) => (name.endsWith("nonce") ? `${SENDER}.1` : "")],
])("a request with %s is not taken", (_what, given) => {
  expect(createOnce(() => 1_000_000)(given)).toBe(false);
});

test("a flood of senders makes none of their requests good twice, and takes no more memory", () => {
  let now = 1_000;
  const isFirst = createOnce(() => now, 100);
  const sent: [number, number][] = [];
  for (let sender = 1; sender <= 10_000; sender += 1) {
    now += 1;
    expect(isFirst(header(senderOf(sender), 7, now))).toBe(true);
    sent.push([sender, now]);
  }
  const taken = sent.filter(([sender, time]) =>
    isFirst(header(senderOf(sender), 7, time)),
  );
  expect(taken).toEqual([]);
  now += 1;
  expect(isFirst(header(senderOf(1), 8, now))).toBe(true);
  expect(isFirst(header(senderOf(1), 7, 1_001))).toBe(false);
});

test("a flood of requests of one sender takes no more memory than a few", () => {
  const signer = createInternalSigner({ id: "a", secret: "0123456789abcdef" });
  const isFirst = createOnce(Date.now);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  for (let sent = 0; sent < 50_000; sent += 1) {
    const headers = signer.headers("GET", "/", "");
    expect(isFirst((name) => headers[name] ?? "")).toBe(true);
  }
  expect(heap() - before).toBeLessThan(1024 ** 2);
});
