import { existsSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, expect, test } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { createHousekeeping } from "../../api/upkeep/housekeeping.ts";
import { haveBlobs, putBlobs } from "../../db/content/blobs.ts";
import { deleteNodes } from "../../db/content/delete-nodes.ts";
import { getNode } from "../../db/content/nodes.ts";
import { putNodes } from "../../db/content/put-nodes.ts";
import { eventCursor } from "../../db/schema/content.ts";
import { addFollower } from "../rigs/db/rows.ts";
import {
  body,
  createContent,
  HOUR,
  NOW,
  random,
  sha256,
} from "../rigs/api/content-fixture.ts";

const opened: { close: () => void }[] = [];
afterEach(() => opened.splice(0).forEach(({ close }) => close()));

/** Creates a store whose clock the test sets. */
function content() {
  const made = createContent();
  opened.push(made);
  const clock = { now: NOW };
  const keeping = createHousekeeping({
    db: made.db,
    store: made.store,
    now: () => clock.now,
    logger: { error: (facts) => expect(facts).toBeNull(), warn: () => undefined },
  });
  const add = async (bytes: Buffer, fullPath?: string) => {
    const staged = await made.store.stage(body(bytes));
    await staged.commit((blob) => {
      putBlobs(made.db, [blob], clock.now);
      const rules = { overwrite: true, user: "tester", now: clock.now };
      if (fullPath)
        putNodes(
          made.db,
          made.repository,
          [{ fullPath, sha256: blob.sha256, metadata: {} }],
          rules,
        );
    });
    return staged.sha256;
  };
  const there = async (digest: string) => {
    const found = await made.store.open(digest).catch(() => null);
    found?.stream.destroy();
    return found !== null;
  };
  return { ...made, clock, keeping, add, there };
}

test.each([100, 100_000])(
  "content of %i bytes is removed a day after its last use, and kept while a file refers to it",
  async (size) => {
    const { add, there, clock, keeping, db } = content();
    const kept = await add(random(size), "/kept");
    const loose = await add(random(size));
    clock.now += 24 * HOUR;
    await keeping.run();
    expect([await there(kept), await there(loose)]).toEqual([true, true]);
    clock.now += 2 * HOUR;
    await keeping.run();
    expect([await there(kept), await there(loose)]).toEqual([true, false]);
    expect(haveBlobs(db, [kept, loose], clock.now)).toEqual(new Set([kept]));
  },
);

test("content is kept for another 24 hours after each lookup, delete or overwrite", async () => {
  const { add, there, clock, keeping, db, repository } = content();
  const asked = await add(random(10));
  const deleted = await add(random(11), "/deleted");
  const replaced = await add(random(12), "/replaced");
  clock.now += 24 * HOUR;
  haveBlobs(db, [asked], clock.now);
  await deleteNodes(db, repository.id, "/deleted", clock.now);
  await add(random(13), "/replaced");
  clock.now += 24 * HOUR;
  await keeping.run();
  expect(await Promise.all([asked, deleted, replaced].map(there))).toEqual([
    true,
    true,
    true,
  ]);
  clock.now += 2 * HOUR;
  await keeping.run();
  expect(await Promise.all([asked, deleted, replaced].map(there))).toEqual([
    false,
    false,
    false,
  ]);
});

test.each([100, 100_000])(
  "content of %i bytes that is uploaded again during the collection is not lost",
  async (size) => {
    const { add, there, clock, keeping } = content();
    const contents = Array.from({ length: 40 }, () => random(size));
    const digests = await Promise.all(contents.map((each) => add(each)));
    clock.now += 48 * HOUR;
    let adding: Promise<string>[] = [];
    const collecting = keeping.run();
    for (const [i, each] of contents.entries()) {
      adding.push(add(each, `/again/${i}`));
      await new Promise((resolve) => void setImmediate(resolve));
    }
    await Promise.all([...adding, collecting]);
    expect(await Promise.all(digests.map(there))).toEqual(digests.map(() => true));
  },
);

test("content that is being committed is not removed by the collection", async () => {
  const { store, add, there, clock, keeping, db } = content();
  const bytes = random(50_000);
  await add(bytes);
  clock.now += 48 * HOUR;
  const staged = await store.stage(body(bytes));
  const committed = staged.commit((blob) => putBlobs(db, [blob], clock.now));
  await keeping.run();
  await committed;
  expect(await there(staged.sha256)).toBe(true);
  expect(haveBlobs(db, [staged.sha256], clock.now).size).toBe(1);
});

test("content without a database row, left by a dead process, is removed, and content with a row is kept", async () => {
  const { add, there, store, dataDir, inline, keeping } = content();
  const kept = await add(random(100_000), "/kept");
  const [file, small] = [random(50_000), random(50)];
  const path = blobFile(layout(dataDir), sha256(file));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, file);
  await inline.put([{ sha256: sha256(small), content: small }]);
  const staged = await store.stage(body(random(70_000)));
  await expect(
    staged.commit(() => Promise.reject(new Error("died"))).then((late) => late),
  ).rejects.toThrow("died");
  await keeping.reconcile();
  expect(existsSync(path)).toBe(false);
  expect(await Promise.all([kept, sha256(small), staged.sha256].map(there))).toEqual([
    true,
    false,
    false,
  ]);
});

test("expired files cannot be read any more, and are deleted by the next housekeeping", async () => {
  const { add, clock, keeping, db, repository, there } = content();
  const digest = await add(random(10));
  const rules = { overwrite: false, user: "tester", now: clock.now };
  putNodes(
    db,
    repository,
    [
      {
        fullPath: "/short/lived",
        sha256: digest,
        metadata: {},
        expireDate: clock.now + HOUR,
      },
    ],
    rules,
  );
  clock.now += HOUR;
  expect(getNode(db, repository.id, "/short/lived", clock.now)).toBeNull();
  await keeping.run();
  expect(
    db.$client.prepare("SELECT count(*) FROM node WHERE folder = 0").pluck().get(),
  ).toBe(0);
  expect(await there(digest)).toBe(true);
  clock.now += 26 * HOUR;
  await keeping.run();
  expect(await there(digest)).toBe(false);
});

test("events are kept until every task that follows uploads has read them", async () => {
  const { add, db, keeping } = content();
  addFollower(db, "p");
  for (let i = 0; i < 4; i += 1) await add(random(10), `/file-${i}`);
  db.update(eventCursor).set({ position: 4 }).run();
  db.insert(eventCursor)
    .values([
      { taskKey: "a", clusterId: "x", position: 3 },
      { taskKey: "b", clusterId: "y", position: 2 },
    ])
    .run();
  const seqs = () =>
    db.$client.prepare("SELECT seq FROM event ORDER BY seq").pluck().all();
  await keeping.run();
  expect(seqs()).toEqual([3, 4]);
  db.delete(eventCursor).run();
  await keeping.run();
  expect(seqs()).toEqual([]);
});
