import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { PassThrough } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { SESSION_LIFE_MS } from "../../activities/store/session-file.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import {
  body,
  createContent,
  NOW,
  openContent,
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
  return made;
}

test("an upload session joins its pieces into one content", async () => {
  const { store, db } = content();
  const bytes = random(1_000_000);
  const id = await openSession(store);
  expect(await store.sessions.status(id)).toBe(0);
  expect(await store.sessions.append(id, 0, body(bytes.subarray(0, 400_000)))).toEqual({
    accepted: true,
    offset: 400_000,
  });
  expect(await store.sessions.append(id, 400_000, body(bytes.subarray(400_000)))).toEqual(
    {
      accepted: true,
      offset: bytes.length,
    },
  );
  const staged = await store.sessions.finish(id, {
    sha256: sha256(bytes),
    size: bytes.length,
  });
  await staged.commit((blob) => putBlobs(db, [blob], NOW));
  expect(sha256(await read((await store.open(staged.sha256)).stream))).toBe(
    sha256(bytes),
  );
  expect(await store.sessions.status(id)).toBeNull();
});

test("an upload session refuses a piece at a wrong offset, and answers with the current offset", async () => {
  const { store } = content();
  const id = await openSession(store);
  await store.sessions.append(id, 0, body(random(1000)));
  expect(await store.sessions.append(id, 2000, body(random(10)))).toEqual({
    accepted: false,
    offset: 1000,
  });
  expect(await store.sessions.append(id, 0, body(random(10)))).toEqual({
    accepted: false,
    offset: 1000,
  });
  expect(await store.sessions.status(id)).toBe(1000);
});

test("an upload session keeps the bytes that arrived of a broken piece, and its digest is right", async () => {
  const { store } = content();
  const bytes = random(500_000);
  const id = await openSession(store);
  const broken = new PassThrough();
  broken.write(bytes.subarray(0, 300_000));
  const appended = store.sessions.append(id, 0, broken);
  setImmediate(() => broken.destroy(new Error("connection lost")));
  await expect(appended).rejects.toThrow("connection lost");
  const offset = (await store.sessions.status(id)) ?? -1;
  expect(offset).toBeLessThanOrEqual(300_000);
  await store.sessions.append(id, offset, body(bytes.subarray(offset)));
  expect((await store.sessions.finish(id, { sha256: sha256(bytes) })).size).toBe(
    bytes.length,
  );
});

test("an upload session continues after a restart of the process", async () => {
  const first = createContent();
  const bytes = random(700_000);
  const id = await openSession(first.store);
  await first.store.sessions.append(id, 0, body(bytes.subarray(0, 600_000)));
  const second = openContent(first.dataDir);
  opened.push(first, second);
  await second.store.sweep(Date.now());
  expect(await second.store.sessions.status(id)).toBe(600_000);
  await second.store.sessions.append(id, 600_000, body(bytes.subarray(600_000)));
  expect((await second.store.sessions.finish(id, { sha256: sha256(bytes) })).sha256).toBe(
    sha256(bytes),
  );
});

test("an upload session accepts a newer request while an older one hangs on a dead connection", async () => {
  const { store } = content();
  const bytes = random(400_000);
  const id = await openSession(store);
  const hanging = new PassThrough();
  hanging.write(bytes.subarray(0, 100_000));
  const first = store.sessions.append(id, 0, hanging).catch((error: unknown) => error);
  await expect.poll(() => hanging.readableLength).toBe(0);
  const second = await store.sessions.append(id, 0, body(bytes));
  expect(await first).toMatchObject({ kind: "cancelled" });
  const offset = second.offset;
  expect(second.accepted).toBe(false);
  await store.sessions.append(id, offset, body(bytes.subarray(offset)));
  expect((await store.sessions.finish(id, { sha256: sha256(bytes) })).size).toBe(
    bytes.length,
  );
});

test("an upload session ends when its digest is wrong, and when it is aborted", async () => {
  const { store } = content();
  const id = await openSession(store);
  await store.sessions.append(id, 0, body(random(100_000)));
  await expect(
    store.sessions.finish(id, { sha256: sha256("other") }),
  ).rejects.toMatchObject({
    kind: "digestMismatch",
  });
  expect(await store.sessions.status(id)).toBeNull();
  const other = await openSession(store);
  await store.sessions.abort(other);
  expect(await store.sessions.status(other)).toBeNull();
});

const hex = (algorithm: string, bytes: Buffer) =>
  createHash(algorithm).update(bytes).digest("hex");

test.each([100, 300_000])(
  "an upload session of %i bytes is verified by the digests at its end, also after a restart",
  async (size) => {
    const first = createContent();
    const bytes = random(size);
    const id = await openSession(first.store);
    await first.store.sessions.append(id, 0, body(bytes));
    const second = openContent(first.dataDir);
    opened.push(first, second);
    const told = {
      sha512: hex("sha512", bytes),
      sha1: hex("sha1", bytes),
      md5: hex("md5", bytes),
    };
    expect(await second.store.sessions.finish(id, told)).toMatchObject({
      ...told,
      sha256: sha256(bytes),
      size,
    });
  },
);

test.each(["sha512", "sha1", "md5"])(
  "an upload session is discarded if its %s differs from that at its end",
  async (algorithm) => {
    const { store } = content();
    const id = await openSession(store);
    await store.sessions.append(id, 0, body(random(1000)));
    await expect(
      store.sessions.finish(id, { [algorithm]: hex(algorithm, random(10)) }),
    ).rejects.toMatchObject({
      kind: "digestMismatch",
      message: expect.stringContaining(`the content has ${algorithm} `),
    });
    expect(await store.sessions.status(id)).toBeNull();
  },
);

test("further digests of a content are computed once, and kept until the content is removed", async () => {
  const { store, db, dataDir } = content();
  const bytes = random(200_000);
  const staged = await store.stage(body(bytes));
  await staged.commit((blob) => putBlobs(db, [blob], NOW));
  const { sha256: digest } = staged;
  const found = await Promise.all([
    store.digestOf(digest, "sha512"),
    store.digestOf(digest, "sha1"),
    store.digestOf(digest, "md5"),
  ]);
  expect(found).toEqual([hex("sha512", bytes), hex("sha1", bytes), hex("md5", bytes)]);
  rmSync(blobFile(layout(dataDir), digest));
  const next = openContent(dataDir);
  opened.push(next);
  expect(await next.store.digestOf(digest, "sha1")).toBe(hex("sha1", bytes));
  await next.store.remove(digest);
  await expect(next.store.digestOf(digest, "sha1")).rejects.toMatchObject({
    kind: "notFound",
  });
});

test("an upload session refuses a piece that makes it too large, and keeps its earlier bytes", async () => {
  const { store } = content();
  const id = await openSession(store);
  await store.sessions.append(id, 0, body(random(1000)), { maxBytes: 1500 });
  await expect(
    store.sessions.append(id, 1000, body(random(1000)), { maxBytes: 1500 }),
  ).rejects.toMatchObject({
    kind: "tooLarge",
  });
  expect(await store.sessions.status(id)).toBe(1000);
});

test("an upload session expires after a day without use, and unknown or invalid ids are not found", async () => {
  const { store } = content();
  const id = await openSession(store);
  await store.sessions.expire(Date.now() + SESSION_LIFE_MS - 60_000);
  expect(await store.sessions.status(id)).toBe(0);
  await store.sessions.expire(Date.now() + SESSION_LIFE_MS + 60_000);
  expect(await store.sessions.status(id)).toBeNull();
  for (const unknown of [id, "../../replication.db", "", "0".repeat(24)]) {
    expect(await store.sessions.status(unknown)).toBeNull();
    await expect(
      store.sessions.append(unknown, 0, body(random(1))),
    ).rejects.toMatchObject({ kind: "notFound" });
    await expect(store.sessions.finish(unknown, {})).rejects.toMatchObject({
      kind: "notFound",
    });
  }
});
