import { readdirSync } from "node:fs";
import { join } from "node:path";
import pLimit from "p-limit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SYNC_PREFIX } from "../../domain/sync.ts";
import { createContent, openContent } from "../rigs/api/content-fixture.ts";
import { refusedUploads } from "../rigs/runs/metrics-fixture.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";

/** Most open uploads of one repository, of all other instances together, and of all. */
const [MOST_OF_ONE, MOST] = [1_000, 4_000];

let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi();
  for (const name of ["first", "second"])
    await api.call("POST", "/repository/api/repo/create", {
      body: { projectId: "demo", name, type: "OCI" },
    });
});
afterAll(() => api.close());

const staged = () =>
  readdirSync(join(api.directory, "blobs", "staging")).filter((name) =>
    name.startsWith("s-"),
  );

/** A kind of upload in pieces: how it begins, and how it gets a byte; `refused`: its answer when too many are open. */
type Kind = {
  name: string;
  begin: () => Promise<{ status: number; place: string; text: string; retry: unknown }>;
  feed: (place: string) => Promise<number>;
  end: (place: string) => Promise<number>;
  refused: object;
};

const image = (repository: string): Kind => ({
  name: "blobs of /v2",
  async begin() {
    const path = `/v2/demo/${repository}/app/blobs/uploads/`;
    const { status, headers, body } = await send(api.port, "POST", path, {
      "content-length": 0,
    });
    const place = String(headers.location);
    return { status, place, text: body.toString(), retry: headers["retry-after"] };
  },
  feed: async (place) =>
    (await send(api.port, "PATCH", place, { "content-length": 1 }, [Buffer.from("x")]))
      .status,
  end: async (place) => (await send(api.port, "DELETE", place)).status,
  refused: { errors: [{ code: "TOOMANYREQUESTS" }] },
});
const instances: Kind = {
  name: "uploads of other instances",
  async begin() {
    const { status, headers, body, json } = await send(
      api.port,
      "POST",
      `${SYNC_PREFIX}/uploads`,
      { "content-type": "application/json", "content-length": 2 },
      [Buffer.from("{}")],
    );
    const place = `${SYNC_PREFIX}/uploads/${String(json.data?.["id"])}`;
    return { status, place, text: body.toString(), retry: headers["retry-after"] };
  },
  feed: async (place) =>
    (
      await send(
        api.port,
        "PATCH",
        place,
        { "content-length": 1, "upload-offset": "0" },
        [Buffer.from("x")],
      )
    ).status,
  end: async (place) => (await send(api.port, "DELETE", place)).status,
  refused: { code: 250124 },
};

const many = async <T>(count: number, work: () => Promise<T>): Promise<T[]> => {
  const limit = pLimit(16);
  return Promise.all(Array.from({ length: count }, () => limit(work)));
};

describe.each([image("first"), instances])("$name", ({ begin, feed, end, refused }) => {
  test("that have no bytes make room for newer ones, the oldest first, and those with bytes stay", async () => {
    const fed = await begin();
    expect(await feed(fed.place)).toBeLessThan(300);
    const oldest = await begin();
    const begun = await many(MOST_OF_ONE + 20, begin);
    expect(new Set(begun.map(({ status }) => status < 300))).toEqual(new Set([true]));
    expect(staged()).toHaveLength(MOST_OF_ONE);
    expect(await feed(oldest.place)).toBe(404);
    const newest = await begin();
    expect(await feed(newest.place)).toBeLessThan(300);
    for (const { place } of [fed, newest, ...begun]) await end(place);
    expect(staged()).toEqual([]);
  });

  test("are refused with 429 and Retry-After while as many as may be have bytes, and others are not", async () => {
    const begun = await many(MOST_OF_ONE, async () => {
      const one = await begin();
      await feed(one.place);
      return one;
    });
    const refusedBefore = await refusedUploads(api, "sessions");
    const tooMany = await begin();
    expect([tooMany.status, tooMany.retry, JSON.parse(tooMany.text)]).toMatchObject([
      429,
      "60",
      refused,
    ]);
    await expect.poll(() => refusedUploads(api, "sessions")).toBe(refusedBefore + 1);
    const other = await image("second").begin();
    expect(other.status).toBe(202);
    await image("second").end(other.place);
    await end(begun[0]?.place ?? "");
    const next = await begin();
    expect(next.status).toBeLessThan(300);
    for (const { place } of [next, ...begun]) await end(place);
  });
});

test("of all owners together only so many are open, also those that an earlier process has left", async () => {
  const first = createContent();
  try {
    for (let i = 0; i < MOST; i += 1)
      expect(await first.store.sessions.open(`owner ${i % 8}`)).not.toBe(null);
    const again = openContent(first.dataDir);
    await again.store.sweep(Date.now());
    expect(await again.store.sessions.open("another")).not.toBe(null);
    const left = readdirSync(join(first.dataDir, "blobs", "staging"));
    expect(left.filter((name) => name.startsWith("s-"))).toHaveLength(MOST);
    again.close();
  } finally {
    first.close();
  }
});
