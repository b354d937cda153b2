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
import { createGate, unique } from "../rigs/runs/run-fixture.ts";
import { makeBlob, makeImage, pushImage } from "../rigs/servers/images.ts";
import { type FaultProxy, startProxy } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

/**
 * Batches of one run share connections and a memory of images. Work that a stopped batch began must go on or be
 * repeated if another batch of the run waits for it; these tests check that.
 */

const stop = () => new TransferError("cancelled", "the run was stopped");

const letGo: (() => void)[] = [];
afterEach(() => {
  for (const one of letGo.splice(0)) one();
});

/**
 * Makes `proxy` hold requests with a matching path until `letGo`, or until the test ends. `isThere` resolves once a
 * request is held.
 */
function hold(
  proxy: FaultProxy,
  matches: RegExp,
): { isThere: () => Promise<void>; letGo: () => void } {
  const gate = createGate();
  proxy.clear();
  proxy.fault = ({ path }) =>
    matches.test(path) ? { kind: "hold", until: gate.until } : null;
  const held = {
    async isThere() {
      await expect
        .poll(() => proxy.requests.some(({ path }) => matches.test(path)))
        .toBe(true);
    },
    letGo() {
      proxy.fault = () => null;
      gate.letGo();
    },
  };
  letGo.push(held.letGo);
  return held;
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
      [unique("/first-"), unique("/second-")].map((path) =>
        source.add(path, Buffer.from(path)),
      ),
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
  beforeAll(async () => {
    [here, there] = [await startProxy(from.url), await startProxy(to.url)];
    ends = openEnds(here.url, there.url);
  });
  afterAll(async () => {
    await ends.close();
    await Promise.all([here.stop(), there.stop(), from.stop(), to.stop()]);
  });

  /** Pushes two images that share a layer, with the tags `first` and `second`. */
  async function push(name: string): Promise<void> {
    const shared = makeBlob(50_000);
    for (const tag of ["first", "second"])
      await pushImage(from.url, name, tag, makeImage({ layers: [shared] }));
  }

  /** Creates a memory of images; `isShared` resolves once two copies have requested the same entry of it. */
  function watchedMemory(): { memory: ImageMemory; isShared: () => Promise<void> } {
    const memory = createImageMemory();
    const { once, attachedTags } = memory;
    const asked = new Map<string, number>();
    const ask = (what: string) => void asked.set(what, (asked.get(what) ?? 0) + 1);
    memory.once = (key, ...rest) => (ask(key), once(key, ...rest));
    memory.attachedTags = (name, list) => (ask(name), attachedTags(name, list));
    const isShared = async () => {
      await expect.poll(() => [...asked.values()]).toContain(2);
    };
    return { memory, isShared };
  }

  /**
   * Starts the copy of the first image, and of the second once `isThere` resolves. When both wait for the same entry of
   * the memory, stops the first copy, calls `then`, and returns the result of the second copy.
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
    ["a list of attached artifacts", /\/tags\/list/],
    ["a layer", /\/blobs\/sha256/],
  ])(
    "%s that two image copies need is still read if the first copy is stopped",
    async (what, path) => {
      const name = unique(`held/${what.replaceAll(" ", "-")}-`);
      await push(name);
      const held = hold(here, path);
      expect(await stopTheFirst(name, held.isThere, held.letGo)).toBe("sent");
    },
  );

  test("a layer that two images share is sent by the second copy if the first is stopped while it waits", async () => {
    const name = unique("throttled-");
    await push(name);
    const noGrant = createThrottle(1_000, async () => ({ bytes: 0, waitMs: 600_000 }));
    let waiting = 0;
    const throttle = async (bytes: number, signal: AbortSignal) => {
      // Only the first call waits for a grant of the rate limit; later ones get all bytes at once.
      return (waiting += 1) === 1 ? noGrant(bytes, signal) : bytes;
    };
    const isWaiting = async () => {
      await expect.poll(() => waiting).toBeGreaterThan(0);
    };
    expect(await stopTheFirst(name, isWaiting, () => {}, throttle)).toBe("sent");
  });
});

test("an error that comes from an abort is classified as cancelled, and fails no artifact", async () => {
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
