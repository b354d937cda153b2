import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, expect, test } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import { damageAfter } from "../../db/content/damage.ts";
import { lockDataDir } from "../../db/lock.ts";
import { putNodes } from "../../db/content/put-nodes.ts";
import {
  createContent,
  NOW,
  openContent,
  random,
  sha256,
} from "../rigs/api/content-fixture.ts";
import { damageContent } from "../rigs/api/damage.ts";
import { programOf, ROOT } from "../rigs/runs/program.ts";

const opened: { close: () => void }[] = [];
afterEach(() => opened.splice(0).forEach(({ close }) => close()));

/** Creates a data directory with files; no service uses it. */
async function restored(contents: Record<string, Buffer>) {
  const made = createContent();
  opened.push(made);
  const { db, store, repository, dataDir } = made;
  await store.putAll(
    Object.values(contents).map((content) => ({ content })),
    (blobs) => {
      putBlobs(db, blobs, NOW);
      const entries = Object.keys(contents).map((name, i) => ({
        fullPath: `/${name}`,
        sha256: blobs[i]?.sha256 ?? "",
        metadata: {},
      }));
      putNodes(db, repository, entries, { overwrite: true, user: "tester", now: NOW });
    },
  );
  return dataDir;
}

/** Runs `npm run store:verify`, whose compiled program it starts. */
function verify(dataDir: string, ...options: string[]) {
  const args = [...programOf("api/verify/start"), ...options];
  const env = { PATH: process.env["PATH"], DATA_DIR: dataDir };
  return new Promise<{ code: number; lines: string[]; said: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      args,
      { cwd: ROOT, env },
      (_error, out, err) =>
        resolve({ code: child.exitCode ?? -1, lines: out.trim().split("\n"), said: err }),
    );
  });
}

const files = () => ({
  small: random(300),
  "dir/large": random(100_000),
  other: random(400),
  "dir/gone": random(20_000),
  last: random(30_000),
});

test("store:verify of a whole store lists nothing and ends with 0", async () => {
  const dataDir = await restored(files());
  expect(await verify(dataDir)).toEqual({
    code: 0,
    lines: ["5 of 5 contents read, 0 MiB: 0 missing, 0 wrong, 0 orphaned"],
    said: "",
  });
});

test("store:verify lists what is missing, wrong or orphaned with its files, and ends with 1", async () => {
  const contents = files();
  const dataDir = await restored(contents);
  damageContent(dataDir, sha256(contents.small), "a flipped byte");
  damageContent(dataDir, sha256(contents["dir/large"]), "a cut end");
  damageContent(dataDir, sha256(contents.other), "no bytes");
  damageContent(dataDir, sha256(contents["dir/gone"]), "no bytes");
  const stray = random(50_000);
  const file = blobFile(layout(dataDir), sha256(stray));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stray);

  const listed = [
    `missing sha256:${sha256(contents.other)} p/r/other`,
    `missing sha256:${sha256(contents["dir/gone"])} p/r/dir/gone`,
    `wrong sha256:${sha256(contents.small)} p/r/small`,
    `wrong sha256:${sha256(contents["dir/large"])} p/r/dir/large`,
    `orphaned sha256:${sha256(stray)}`,
  ];
  const said = await verify(dataDir);
  expect(said.lines.slice(0, -1).toSorted()).toEqual(listed.toSorted());
  expect(said.lines.at(-1)).toMatch(/: 2 missing, 2 wrong, 1 orphaned$/);
  expect(said.code).toBe(1);

  // Nothing was changed by looking; with the option, what is damaged counts as absent from then on.
  expect((await verify(dataDir)).lines.toSorted()).toEqual(said.lines.toSorted());
  expect((await verify(dataDir, "--quarantine")).code).toBe(1);
  const { db, close } = openContent(dataDir);
  const damaged = damageAfter(db, "", 10).map((row) => row.sha256);
  close();
  const { last: _last, ...bad } = contents;
  expect(damaged).toEqual(
    Object.values(bad)
      .map((bytes) => sha256(bytes))
      .toSorted(),
  );
  expect((await verify(dataDir)).lines.at(-1)).toMatch(
    /: 4 missing, 0 wrong, 1 orphaned$/,
  );
});

test("store:verify refuses a data directory in use, one without a database, and unknown options", async () => {
  const dataDir = await restored(files());
  const lock = lockDataDir(dataDir);
  const used = await verify(dataDir);
  lock.release();
  expect([used.code, used.said]).toEqual([
    2,
    expect.stringContaining("is in use by process"),
  ]);
  const nowhere = await verify(`${dataDir}/nowhere`);
  expect([nowhere.code, nowhere.said]).toEqual([
    2,
    expect.stringContaining("set DATA_DIR"),
  ]);
  const odd = await verify(dataDir, "--repair");
  expect([odd.code, odd.said]).toEqual([
    2,
    expect.stringContaining("--repair is unknown"),
  ]);
});
