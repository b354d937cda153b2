import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, expect, test } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import type { StoredBlob } from "../../activities/store/stage.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import {
  body,
  createContent,
  md5,
  NOW,
  random,
  read,
  sha256,
  openSession,
} from "../rigs/api/content-fixture.ts";

const opened: { close: () => void }[] = [];
afterEach(() => opened.splice(0).forEach(({ close }) => close()));

function content() {
  const made = createContent();
  opened.push(made);
  const register = (blob: StoredBlob) => putBlobs(made.db, [blob], NOW);
  const staging = () => readdirSync(layout(made.dataDir).staging);
  const rows = () => made.db.$client.prepare("SELECT count(*) FROM blob").pluck().get();
  return { ...made, register, staging, rows };
}

test.each([
  ["content of zero bytes", 0],
  ["content of one byte", 1],
  ["the largest inline content", 16 * 1024],
  ["the smallest content in a file", 16 * 1024 + 1],
  ["content of some megabytes", 3 * 1024 * 1024 + 7],
])("%s is stored and read back unchanged by its digest", async (_what, size) => {
  const { store, register, staging } = content();
  const bytes = random(size);
  const staged = await store.stage(body(bytes));
  expect(staged).toMatchObject({ sha256: sha256(bytes), md5: md5(bytes), size });
  await staged.commit(register);
  const opened = await store.open(staged.sha256);
  expect(opened.size).toBe(size);
  expect(sha256(await read(opened.stream))).toBe(staged.sha256);
  expect(staging()).toEqual([]);
});

test("a range of a content is read, and is cut at the content's end", async () => {
  const { store, register } = content();
  for (const size of [100, 100_000]) {
    const bytes = random(size);
    const staged = await store.stage(body(bytes));
    await staged.commit(register);
    const part = async (start: number, end?: number) =>
      read((await store.open(staged.sha256, { start, end })).stream);
    expect(await part(10, 19)).toEqual(bytes.subarray(10, 20));
    expect(await part(size - 3)).toEqual(bytes.subarray(size - 3));
    expect(await part(90, size * 2)).toEqual(bytes.subarray(90));
    expect(await part(size)).toHaveLength(0);
  }
});

test.each([100, 100_000])(
  "content of %i bytes that does not match its announced digests or size is refused and not kept",
  async (size) => {
    const { store, staging, rows } = content();
    const bytes = random(size);
    const wrong = sha256("something else");
    await expect(
      store.stage(body(bytes), { expect: { sha256: wrong } }),
    ).rejects.toMatchObject({
      kind: "digestMismatch",
      message: expect.stringContaining(wrong),
    });
    await expect(
      store.stage(body(bytes), { expect: { md5: md5("x") } }),
    ).rejects.toMatchObject({
      kind: "digestMismatch",
    });
    await expect(
      store.stage(body(bytes), { expect: { size: size + 1 } }),
    ).rejects.toMatchObject({ kind: "invalid" });
    await expect(store.stage(body(bytes), { maxBytes: size - 1 })).rejects.toMatchObject({
      kind: "tooLarge",
    });
    await expect(store.open(sha256(bytes))).rejects.toMatchObject({ kind: "notFound" });
    expect([staging(), rows()]).toEqual([[], 0]);
  },
);

async function* broken() {
  yield random(200_000);
  throw new Error("connection lost");
}

test("an upload that breaks off and a staged content that is discarded leave no file", async () => {
  const { store, staging } = content();
  await expect(store.stage(broken())).rejects.toThrow("connection lost");
  await (await store.stage(body(random(200_000)))).discard();
  expect(staging()).toEqual([]);
});

test("a content that cannot be moved into the store leaves no file", async () => {
  const { store, staging, dataDir } = content();
  const bytes = random(200_000);
  const file = blobFile(layout(dataDir), sha256(bytes));
  mkdirSync(dirname(dirname(file)), { recursive: true });
  writeFileSync(dirname(file), "in the way");
  const staged = await store.stage(body(bytes));
  await expect(staged.commit(() => null)).rejects.toThrow(/EEXIST|ENOTDIR/);
  expect(staging()).toEqual([]);
});

test("equal content is stored once, even if 20 uploads send it at the same time", async () => {
  const { store, register, dataDir, rows, staging } = content();
  for (const size of [500, 200_000]) {
    const bytes = random(size);
    const digests = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const staged = await store.stage(body(bytes));
        await staged.commit(register);
        return staged.sha256;
      }),
    );
    expect(new Set(digests).size).toBe(1);
  }
  expect(rows()).toBe(2);
  const files = readdirSync(layout(dataDir).blobs, {
    recursive: true,
    withFileTypes: true,
  }).filter((entry) => entry.isFile());
  expect(files).toHaveLength(1);
  expect(staging()).toEqual([]);
});

test("several contents, small inline ones and files, are stored together and read back", async () => {
  const { store, db } = content();
  const contents = [
    random(0),
    random(10),
    random(16 * 1024),
    random(16 * 1024 + 1),
    random(300_000),
  ];
  const blobs = await store.putAll(
    contents.map((each) => ({ content: each })),
    (made) => {
      putBlobs(db, made, NOW);
      return made;
    },
  );
  expect(blobs.map(({ inline }) => inline)).toEqual([true, true, true, false, false]);
  for (const each of contents)
    expect(await read((await store.open(sha256(each))).stream)).toEqual(each);
  const small = await store.readSmall([
    ...contents.map(sha256),
    sha256("absent"),
    "no digest",
  ]);
  expect([...small.values()]).toEqual(contents.slice(0, 3));
});

test("leftovers of an earlier process in the staging folder are removed, but upload sessions are kept", async () => {
  const { store, staging } = content();
  const id = await openSession(store);
  await store.stage(body(random(100_000)));
  expect(staging()).toHaveLength(2);
  await store.sweep(Date.now());
  expect(staging()).toEqual([`s-${id}`]);
});

test.each(["../../etc/passwd", "AB".repeat(32), "", `${"a".repeat(63)}/`])(
  "the invalid digest %j is refused, so it cannot name another file",
  async (digest) => {
    const { store } = content();
    await expect(store.open(digest)).rejects.toMatchObject({ kind: "invalid" });
  },
);
