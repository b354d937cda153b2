import { setTimeout as sleep } from "node:timers/promises";
import { CancelledFailure } from "@temporalio/common";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  createImageMemory,
  type ImageMemory,
} from "../../activities/registries/oci/copy/memory.ts";
import {
  createThrottle,
  type Throttle,
  UNLIMITED,
} from "../../activities/transfer/throttle.ts";
import { failureResult } from "../../domain/failure-result.ts";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome } from "../../domain/outcome.ts";
import { copy as copyImage, openEnds } from "../rigs/transfer/image-fixture.ts";
import {
  clientOf,
  copy as copyFiles,
  quietHooks,
  startProxiedTarget,
} from "../rigs/transfer/instance-fixture.ts";
import { createGate } from "../rigs/runs/run-fixture.ts";
import { makeBlob, makeImage, pushImage } from "../rigs/servers/images.ts";
import { type FaultProxy, startProxy } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

/**
 * Batches of one run share connections and the memory of their ends. When one batch is stopped, work that it began may
 * be stopped with it: the other batches must not suffer.
 */

const stop = () => new TransferError("cancelled", "the run was stopped");

/** Holds requests with a matching path until `letGo`; `isThere` resolves once a request is held. */
function hold(
  proxy: FaultProxy,
  matches: RegExp,
): { isThere: () => Promise<void>; letGo: () => void } {
  const { until, letGo } = createGate();
  proxy.clear();
  proxy.fault = ({ path }) => (matches.test(path) ? { kind: "hold", until } : null);
  return {
    async isThere() {
      await expect
        .poll(() => proxy.requests.some(({ path }) => matches.test(path)), {
          timeout: 30_000,
        })
        .toBe(true);
    },
    letGo() {
      proxy.fault = () => null;
      letGo();
    },
  };
}

describe("batches that share a client of another instance", () => {
  let rig: Awaited<ReturnType<typeof startProxiedTarget>>;
  beforeAll(async () => {
    rig = await startProxiedTarget();
  });
  afterAll(() => rig.close());

  test("the request for capabilities is shared, and continues when the batch that sent it is stopped", async () => {
    const { source, target, proxy } = rig;
    const client = clientOf(proxy.url);
    await clientOf(target.url).ensureRepository(
      { projectId: "copies", repoName: "files" },
      "GENERIC",
    );
    const files = await Promise.all(
      ["/first", "/second"].map((path) => source.add(path, Buffer.from(path))),
    );
    const held = hold(proxy, /\/capabilities$/);
    const first = new AbortController();
    const send = (at: number, signal: AbortSignal) =>
      copyFiles(files.slice(at, at + 1), {
        target: client,
        content: source.source,
        hooks: quietHooks({ signal }),
      });
    const stopped = send(0, first.signal).catch(
      (error: unknown) => toTransferError(error).kind,
    );
    await held.isThere();
    const other = send(1, new AbortController().signal);
    first.abort(stop());
    expect(await stopped).toBe("cancelled");
    held.letGo();
    expect((await other).kinds).toEqual(["sent"]);
    expect(proxy.count("GET", /\/capabilities$/)).toBe(1);
    await client.close();
  });
});

const [from, to] = [
  await startRegistry("docker-registry"),
  await startRegistry("docker-registry"),
];

describe.skipIf(!from.available)("batches that share a memory of images", () => {
  let here: FaultProxy;
  let there: FaultProxy;
  let ends: ReturnType<typeof openEnds>;
  const letGo: (() => void)[] = [];
  beforeAll(async () => {
    [here, there] = [await startProxy(from.url), await startProxy(to.url)];
    ends = openEnds(here.url, there.url);
  });
  afterEach(() => {
    for (const one of letGo.splice(0)) one();
  });
  afterAll(async () => {
    await ends.close();
    await Promise.all([here.stop(), there.stop(), from.stop(), to.stop()]);
  });

  /** Pushes two images that share a layer. */
  async function push(name: string): Promise<void> {
    const shared = makeBlob(50_000);
    for (const tag of ["first", "second"])
      await pushImage(from.url, name, tag, makeImage({ layers: [shared] }));
  }

  /** Creates a memory that shows when two images request the same entry. */
  function watchedMemory(): { memory: ImageMemory; isShared: () => Promise<void> } {
    const memory = createImageMemory();
    const { once, attachedTags } = memory;
    const asked = new Map<string, number>();
    const ask = (what: string) => void asked.set(what, (asked.get(what) ?? 0) + 1);
    memory.once = (key, ...rest) => (ask(key), once(key, ...rest));
    memory.attachedTags = (name, list) => (ask(name), attachedTags(name, list));
    const isShared = async () => {
      await expect.poll(() => [...asked.values()], { timeout: 30_000 }).toContain(2);
    };
    return { memory, isShared };
  }

  /**
   * Copies the first image, and once `isThere` the second. Stops the first when both wait for the same entry, calls
   * `then`, and returns the result of the second.
   */
  async function stopTheFirst(
    name: string,
    isThere: () => Promise<void>,
    then: () => void,
    throttle: Throttle = UNLIMITED,
  ): Promise<ArtifactOutcome["result"]["kind"]> {
    const { memory, isShared } = watchedMemory();
    const first = new AbortController();
    const send = (tag: string, signal: AbortSignal) =>
      copyImage({
        ...ends,
        memory,
        name,
        tag,
        signal,
        throttle: (bytes) => throttle(bytes, signal),
      });
    const stopped = send("first", first.signal).catch(
      (error: unknown) => toTransferError(error).kind,
    );
    await isThere();
    const second = send("second", new AbortController().signal);
    await isShared();
    first.abort(stop());
    expect(await stopped).toBe("cancelled");
    then();
    return (await second).result.kind;
  }

  test.each([
    ["the list of attached artifacts", /\/tags\/list/],
    ["a layer", /\/blobs\/sha256/],
  ])(
    "%s that is read for two images is still read when the first copy is stopped",
    async (what, path) => {
      const name = `held/${what.replaceAll(" ", "-")}`;
      await push(name);
      const held = hold(here, path);
      letGo.push(held.letGo);
      expect(await stopTheFirst(name, held.isThere, held.letGo)).toBe("sent");
    },
  );

  test("a layer that two images share is sent by the second when the first is stopped at its rate limit", async () => {
    await push("throttled");
    const noGrant = createThrottle(1_000, async () => ({ bytes: 0, waitMs: 600_000 }));
    let waiting = 0;
    const throttle = async (bytes: number, signal: AbortSignal) => {
      // The second copy gets a grant at once.
      return (waiting += 1) === 1 ? noGrant(bytes, signal) : bytes;
    };
    const isWaiting = async () => {
      await expect.poll(() => waiting, { timeout: 30_000 }).toBeGreaterThan(0);
    };
    expect(await stopTheFirst("throttled", isWaiting, () => {}, throttle)).toBe("sent");
  });
});

test("an error that reports an abort is classified as cancelled, and fails no artifact", async () => {
  const aborted = new AbortController();
  aborted.abort();
  const errors = [
    await sleep(1_000, undefined, { signal: aborted.signal }).catch(
      (error: unknown) => error,
    ),
    await fetch("http://127.0.0.1:9", { signal: aborted.signal }).catch(
      (error: unknown) => error,
    ),
    aborted.signal.reason,
    new CancelledFailure("the worker is stopping"),
  ];
  expect(errors.map((error) => toTransferError(error).kind)).toEqual(
    errors.map(() => "cancelled"),
  );
  expect(toTransferError(new Error("other")).kind).toBe("invalid");
  expect(failureResult(stop(), "a file: stopped", [])).toMatchObject({
    kind: "again",
    untried: true,
  });
});
