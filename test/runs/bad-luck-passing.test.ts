import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCleanup, follow, unique } from "../rigs/runs/run-fixture.ts";
import { sorted } from "../rigs/runs/run-judge.ts";
import {
  isSending,
  startUnluckyFileRig,
  type UnluckyFileRig,
} from "../rigs/runs/unlucky-file-rig.ts";
import { startUnluckyRig, type UnluckyRig } from "../rigs/runs/unlucky-rig.ts";

const MIB = 2 ** 20;

let instances: UnluckyFileRig;
let registries: UnluckyRig;
const cleanup = createCleanup();
beforeAll(async () => {
  // The retry window is the usual one, which no try misses on a slow machine.
  [instances, registries] = await Promise.all([
    cleanup.keep(startUnluckyFileRig({}), (one) => one.end()),
    cleanup.keep(startUnluckyRig({}), (one) => one.end()),
  ]);
});
afterAll(cleanup.all);

type Asked = { method: string; path: string };
const isPut = ({ method, path }: Asked, part: string) =>
  method === "PUT" && path.includes(part);
const isWriting = ({ method, path }: Asked) =>
  path.includes("/sync/v1/") && /POST|PATCH/.test(method);

describe.concurrent("bad luck that passes", () => {
  test.each([
    ["busy", 429, { "retry-after": "2" }],
    ["broken", 503, { "retry-after": "1" }],
    ["faulty", 500, {}],
  ] satisfies [string, number, Record<string, string>][])(
    "a run to a target that is %s for a while (%i) takes longer and succeeds",
    async (kind, status, headers) => {
      const name = unique(kind);
      const refused = new Set<string>();
      const refusals: number[] = [];
      registries.luck.set(name, (request) => {
        if (!isPut(request, "/manifests/v") || refused.has(request.path)) return null;
        refused.add(request.path);
        refusals.push(Date.now());
        return {
          kind: "answer",
          status,
          headers,
          body: `{"errors":[{"code":"TOOMANYREQUESTS","message":"later"}]}`,
        };
      });
      const { key, images } = await registries.begin(name);
      const waiting = await follow(
        registries.product,
        key,
        ({ counts, status: now }) =>
          now !== "RUNNING" || (refusals.length === 3 && counts.notDone === 3),
      );
      const shown = await registries.product.details(waiting.id);
      expect(
        shown
          .filter(({ errorReason }) => errorReason?.includes(`answered ${status}`))
          .every(({ status: now }) => now === "RUNNING"),
      ).toBe(true);
      const { status: state, counts, details } = await registries.ended(key);
      expect({ state, ...counts }).toMatchObject({
        state: "SUCCESS",
        planned: 3,
        success: 3,
        failed: 0,
        conflict: 0,
      });
      expect(details.every(({ errorReason }) => errorReason === null)).toBe(true);
      expect(sorted(await registries.there(name))).toEqual(sorted(images));
      const wait = Number(headers["retry-after" as keyof typeof headers] ?? 2) * 1000;
      const puts = registries.target.proxy.requests.filter(
        (seen) => isPut(seen, `/${name}/${name}/app/manifests/v`) && seen.status === 201,
      );
      expect(
        Math.min(...puts.map(({ time }) => time)) - Math.min(...refusals),
      ).toBeGreaterThanOrEqual(wait);
    },
  );

  test.each([429, 503, 500])(
    "a run to an instance that answers %i for a while takes longer and succeeds",
    async (status) => {
      const { name, files, proxy, cluster, end } = await instances.place(
        `busy-${status}`,
      );
      let refusals = 0;
      proxy.fault = (request) => {
        if (!isWriting(request) || refusals >= 3) return null;
        refusals += 1;
        return { kind: "answer", status, headers: { "retry-after": "1" } };
      };
      const key = await instances.start({ name, cluster });
      await follow(
        instances.product,
        key,
        ({ status: now }) => now !== "RUNNING" || refusals > 0,
      );
      const { status: state, counts, details } = await instances.ended(key);
      await end();
      expect({ state, ...counts }).toMatchObject({
        state: "SUCCESS",
        success: files.size,
        failed: 0,
        conflict: 0,
      });
      expect(details.every(({ errorReason }) => errorReason === null)).toBe(true);
      expect(sorted(await instances.there(name))).toEqual(sorted(files));
    },
  );

  test("a run whose connections break in the middle of contents takes longer and succeeds", async () => {
    const { name, files, proxy, cluster, end } = await instances.place("breaks", [
      ...Array.from({ length: 30 }, () => 50_000),
      3 * MIB,
    ]);
    let breaks = 0;
    proxy.fault = (request) => {
      if (!isSending(request) || breaks >= 4) return null;
      breaks += 1;
      return { kind: "cutRequest", afterBytes: 100_000 };
    };
    const { status, counts } = await instances.ended(
      await instances.start({ name, cluster }),
    );
    await end();
    expect(breaks).toBe(4);
    expect({ status, ...counts }).toMatchObject({
      status: "SUCCESS",
      success: files.size,
      failed: 0,
      conflict: 0,
    });
    expect(sorted(await instances.there(name))).toEqual(sorted(files));
  });
});
