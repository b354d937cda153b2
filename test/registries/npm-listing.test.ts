import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { openLister } from "../../activities/registries/npm/lister.ts";
import { openNpmRegistry } from "../../activities/registries/npm/registry.ts";
import { closeServers, serve } from "./http-rig.ts";
import { endAt } from "../rigs/servers/end.ts";

afterEach(closeServers);

const signal = new AbortController().signal;

const wantedOf = (names: readonly string[]) => ({
  packages: names.map((name) => ({ packageKey: `npm://${name}`, versions: null })),
  paths: [],
});

/** A packument of `count` versions, whose documents are `document`. */
const packument = (count: number, document: unknown = {}): string =>
  JSON.stringify({
    versions: Object.fromEntries(
      Array.from({ length: count }, (_, at) => [`${at}.0.0`, document]),
    ),
  });

/** Starts a registry that answers for a package as `answer` says; `asked` are the packages of all requests. */
async function startRegistry(answer: (name: string, response: ServerResponse) => void) {
  const asked: string[] = [];
  const url = await serve(({ url: path = "" }, response) => {
    const name = decodeURIComponent(path.slice(1));
    asked.push(name);
    answer(name, response);
  });
  return { url, asked };
}

const NAMES = Array.from({ length: 100 }, (_, at) => `p${at}`);

test("a page of an npm registry reads few packages beyond those that it lists", async () => {
  const { url, asked } = await startRegistry((_name, response) =>
    response.end(packument(150)),
  );
  const lister = openLister(endAt(url));
  const first = await lister.list(wantedOf(NAMES), null, signal);
  expect(first.found).toHaveLength(500);
  expect(first.found.at(-1)).toMatchObject({ name: "p3", version: "49.0.0" });
  expect(first.next).toBe(JSON.stringify({ at: 3, from: 50 }));
  expect(asked.toSorted()).toEqual(NAMES.slice(0, 8));

  const second = await lister.list(wantedOf(NAMES), first.next, signal);
  expect(second.found).toHaveLength(500);
  expect(second.found[0]).toMatchObject({ name: "p3", version: "50.0.0" });
  expect(second.next).toBe(JSON.stringify({ at: 6, from: 100 }));
  await lister.close();
});

test("the pages of an npm registry have every version once", async () => {
  const counts = [0, 1_200, 3, 500, 0, 499, 1, 1, 700, 2, 0];
  const names = counts.map((_, at) => `p${at}`);
  const { url } = await startRegistry((name, response) =>
    response.end(packument(counts[Number(name.slice(1))] ?? 0)),
  );
  const lister = openLister(endAt(url));
  const listed: string[] = [];
  const missing: string[] = [];
  const lengths: number[] = [];
  let cursor: string | null = null;
  do {
    const page = await lister.list(wantedOf(names), cursor, signal);
    lengths.push(page.found.length);
    listed.push(...page.found.map(({ name, version }) => `${name}@${version}`));
    missing.push(...page.missing.map(({ name }) => name));
    cursor = page.next;
  } while (cursor !== null);
  await lister.close();
  expect(lengths).toEqual([500, 500, 500, 500, 500, 406]);
  expect(listed).toEqual(
    counts.flatMap((count, at) =>
      Array.from({ length: count }, (_, version) => `p${at}@${version}.0.0`),
    ),
  );
  expect(missing).toEqual(["p0", "p4", "p10"]);
});

test("a package of many small versions is remembered as what it takes in memory, not as its bytes", async () => {
  const tiny = packument(99_999, 0);
  const { url, asked } = await startRegistry((_name, response) => response.end(tiny));
  const registry = openNpmRegistry(endAt(url));
  for (const name of NAMES.slice(0, 8)) {
    const found = await registry.package(name, false, signal);
    expect(found?.bytes).toBe(tiny.length + 9_999_900);
  }
  await registry.package("p7", false, signal);
  await registry.package("p0", false, signal);
  expect(asked).toEqual([...NAMES.slice(0, 8), "p0"]);
  await registry.close();
});

test("an npm registry that does not answer holds up no listing of another", async () => {
  const silent = await startRegistry(() => {});
  const quick = await startRegistry((_name, response) => response.end(packument(1)));
  const [waiting, going] = [openLister(endAt(silent.url)), openLister(endAt(quick.url))];
  const stop = new AbortController();
  const waits = waiting.list(wantedOf(NAMES), null, stop.signal).catch(() => "stopped");
  await expect.poll(() => silent.asked.length).toBe(8);
  const page = await going.list(wantedOf(NAMES), null, signal);
  expect(page.found).toHaveLength(100);
  stop.abort();
  expect(await waits).toBe("stopped");
  await Promise.all([waiting.close(), going.close()]);
});

test("when one package of an npm registry cannot be read, the requests for the others end", async () => {
  const open: ServerResponse[] = [];
  let broken: ServerResponse | undefined;
  const { url } = await startRegistry((name, response) => {
    if (name === "p0") broken = response;
    else open.push(response);
    if (open.length === 7) broken?.end("no JSON");
  });
  const lister = openLister(endAt(url));
  await expect(lister.list(wantedOf(NAMES), null, signal)).rejects.toMatchObject({
    kind: "invalid",
  });
  await Promise.all(open.map((response) => response.closed || once(response, "close")));
  await lister.close();
});
