import { expect, test } from "vitest";
import { createBrake, networkOf } from "../../api/http/brake.ts";

/** A sleep that lasts until the test lets it end, or until the sleeper is dropped. */
function heldSleep() {
  const releases: (() => void)[] = [];
  const sleep = (_ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      releases.push(resolve);
      signal.addEventListener("abort", () => reject(new Error("dropped")));
    });
  return { sleep, release: () => releases.forEach((each) => each()) };
}

test("the login waits longer after each wrong password, up to a limit, and starts anew after a while", async () => {
  const slept: number[] = [];
  let now = 0;
  const wait = createBrake(
    () => now,
    async (ms) => void slept.push(ms),
  );
  for (let i = 0; i < 10; i += 1) await wait("192.0.2.1");
  expect(slept).toEqual([0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  await wait("192.0.2.2");
  now += 11 * 60_000;
  await wait("192.0.2.1");
  expect(slept.slice(10)).toEqual([0, 0]);
});

test("the longest waiting refusal is dropped when 100 of its network wait, and none of another", async () => {
  const { sleep, release } = heldSleep();
  const wait = createBrake(() => 0, sleep);
  const ended: string[] = [];
  const refuse = (address: string, name: string) =>
    wait(address).then((hasWaited) => ended.push(`${name} ${hasWaited}`));
  const all = [refuse("192.0.2.9", "other")];
  for (let guess = 1; guess <= 102; guess += 1)
    all.push(refuse("192.0.2.1", String(guess)));
  await expect.poll(() => ended.length).toBe(2);
  expect(ended).toEqual(["1 false", "2 false"]);
  release();
  await Promise.all(all);
  expect(ended.filter((each) => each.endsWith("true"))).toHaveLength(101);
});

test("the longest waiting refusal is dropped when 1000 of all networks wait", async () => {
  const { sleep, release } = heldSleep();
  const wait = createBrake(() => 0, sleep);
  const all = Array.from({ length: 1_005 }, (_, at) =>
    wait(`10.0.${at >> 8}.${at & 255}`),
  );
  const dropped = await Promise.all(all.slice(0, 5));
  expect(dropped).toEqual(Array.from({ length: 5 }, () => false));
  release();
  expect(new Set(await Promise.all(all.slice(5)))).toEqual(new Set([true]));
});

test("an IPv4 address, and the /64 network of an IPv6 address, count as one client", () => {
  const clients = [
    "1.2.3.4",
    "local",
    "2001:db8::1",
    "2001:db8::a:b:c:d",
    "2001:db8:0:0:1:2:3:4",
    "2001:db8:0:1::1",
    "::1",
  ].map(networkOf);
  expect(clients).toEqual([
    "1.2.3.4",
    "local",
    "2001:db8:0:0",
    "2001:db8:0:0",
    "2001:db8:0:0",
    "2001:db8:0:1",
    "0:0:0:0",
  ]);
});
