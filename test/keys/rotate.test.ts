import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSecretKey } from "../../activities/secrets/secret-key.ts";
import { rotateKey } from "../../api/keys/rotate.ts";
import { openAll, withDb, writeSealedData } from "../rigs/db/sealed-data.ts";
import { instance } from "../../db/schema/content.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { lockDataDir } from "../../db/lock.ts";
import { peekKey } from "../../db/secrets/peek.ts";
import { programOf, ROOT } from "../rigs/runs/program.ts";

const OLD = "0123456789abcdef0123456789abcdef";
const NEW = "fedcba9876543210fedcba9876543210";
const KILLS = 25;

let folder: string;
beforeEach(() => (folder = writeSealedData(OLD)));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = () => join(folder, "secret-key");
const keyInFile = () => readFileSync(file(), "utf8").trim();

function start(env: Record<string, string> = {}, ...args: string[]) {
  const child = spawn(process.execPath, [...programOf("api/keys/start"), ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], DATA_DIR: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return { child, ended: once(child, "close").then(([code]) => ({ code, said })) };
}
const run = (env: Record<string, string> = {}, ...args: string[]) =>
  start(env, ...args).ended;

test("npm run rotate-key seals everything with a new key, which only the owner may read", async () => {
  expect(openAll(folder)).toBe(OLD);
  const { code, said } = await run();
  expect([code, said]).toEqual([0, expect.stringMatching(/42 values are sealed/)]);
  expect(said).not.toContain(keyInFile());
  expect(keyInFile()).not.toBe(OLD);
  expect(openAll(folder)).toBe(keyInFile());
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).not.toContain("secret-key.next");
  expect(() => openAll(folder, OLD)).toThrow(/SECRET_KEY is not the key in/);
});

test("a key that is given by SECRET_KEY is changed to NEW_SECRET_KEY, once", async () => {
  rmSync(file());
  const without = await run({ SECRET_KEY: OLD });
  expect([without.code, without.said]).toEqual([
    2,
    expect.stringMatching(/NEW_SECRET_KEY/),
  ]);
  const same = await run({ SECRET_KEY: OLD, NEW_SECRET_KEY: OLD });
  expect([same.code, same.said]).toEqual([2, expect.stringMatching(/present key/)]);
  const both = { SECRET_KEY: OLD, NEW_SECRET_KEY: NEW };
  expect(await run(both)).toMatchObject({ code: 0 });
  expect(openAll(folder, NEW)).toBe(NEW);
  const again = await run(both);
  expect([again.code, again.said]).toEqual([0, expect.stringMatching(/is already that/)]);
  expect(openAll(folder, NEW)).toBe(NEW);
  expect(readdirSync(folder)).not.toContain("secret-key");
});

test("a rotation that is killed at any moment leaves one key that opens everything, and can be run again", async () => {
  const begun = performance.now();
  await run();
  const whole = performance.now() - begun;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const { child, ended } = start();
    const timer = setTimeout(() => child.kill("SIGKILL"), (whole * (kill + 1)) / KILLS);
    await ended;
    clearTimeout(timer);
    expect(openAll(folder)).toBe(keyInFile());
  }
  expect(await run()).toMatchObject({ code: 0 });
  expect(openAll(folder)).toBe(keyInFile());
});

test.each<[what: string, prepare: () => void, opened: () => string]>([
  [
    "before its transaction",
    () => writeFileSync(join(folder, "secret-key.next"), `${NEW}\n`),
    () => OLD,
  ],
  [
    "between its transaction and the file",
    () => {
      withDb(folder, (db) => rotateKey(db, OLD, NEW));
      writeFileSync(join(folder, "secret-key.next"), `${NEW}\n`);
    },
    () => NEW,
  ],
])("a rotation that ended %s is settled by the next start", (_what, prepare, opened) => {
  prepare();
  expect(openAll(folder)).toBe(opened());
  expect(keyInFile()).toBe(opened());
  expect(readdirSync(folder)).not.toContain("secret-key.next");
});

test("a rotation is refused while the service runs, with another key, and with an unknown option", async () => {
  const lock = lockDataDir(folder);
  const running = await run();
  lock.release();
  expect([running.code, running.said]).toEqual([
    2,
    expect.stringMatching(/is in use by/),
  ]);
  const unknown = await run({}, "--force");
  expect([unknown.code, unknown.said]).toEqual([2, expect.stringMatching(/--force/)]);
  writeFileSync(file(), `${NEW}\n`);
  const other = await run();
  expect([other.code, other.said]).toEqual([2, expect.stringMatching(/is not that of/)]);
  expect(keyInFile()).toBe(NEW);
});

test("with --lost a database gets another key, and names what has to be entered again", async () => {
  rmSync(file());
  const known = () => peekKey(join(folder, "replication.db"));
  expect(() => openSecretKey(folder, undefined, known())).toThrow(
    /is missing: set SECRET_KEY/,
  );
  expect(readdirSync(folder)).not.toContain("secret-key");
  const { code, said } = await run({}, "--lost");
  expect(code).toBe(0);
  expect(said).toMatch(
    /cluster c-0\n[^]*cluster c-39\n[^]*repository demo\/linked\n[^]*worker far\n/,
  );
  expect(openSecretKey(folder, undefined, known())).toBe(keyInFile());
  const secrets = withDb(folder, (db) => db.select().from(cluster).all());
  expect(secrets.every(({ secret }) => secret !== null)).toBe(true);
});

test("with --lost a rotation that was broken off after its transaction is finished instead", async () => {
  withDb(folder, (db) => rotateKey(db, OLD, NEW));
  writeFileSync(join(folder, "secret-key.next"), `${NEW}\n`);
  const { code, said } = await run({}, "--lost");
  expect([code, said]).toEqual([
    0,
    expect.stringMatching(/that of the database already/),
  ]);
  expect(openAll(folder)).toBe(NEW);
  expect(keyInFile()).toBe(NEW);
});

test("a key that may be the only one is not deleted, and one that nothing can replace is not rotated", async () => {
  const next = join(folder, "secret-key.next");
  writeFileSync(next, `${NEW}\n`);
  expect(openSecretKey(folder, undefined, null)).toBe(OLD);
  expect(readFileSync(next, "utf8")).toBe(`${NEW}\n`);
  rmSync(next);
  renameSync(file(), join(folder, "elsewhere"));
  symlinkSync(join(folder, "elsewhere"), file());
  const linked = await run();
  expect([linked.code, linked.said]).toEqual([2, expect.stringMatching(/is a link/)]);
  expect(openAll(folder)).toBe(OLD);
});

test("a database that another program holds is no reason for a stack", async () => {
  const holder = new Sqlite(join(folder, "replication.db"));
  holder.exec("BEGIN EXCLUSIVE");
  const { code, said } = await run();
  holder.close();
  expect([code, said]).toEqual([2, expect.stringMatching(/end the other program/)]);
  expect(said).not.toMatch(/^\s+at /m);
});

test("a next key that lies there already is the one that the database gets", async () => {
  withDb(folder, (db) => db.delete(instance).run());
  writeFileSync(join(folder, "secret-key.next"), `${NEW}\n`);
  expect(await run()).toMatchObject({ code: 0 });
  expect(openAll(folder)).toBe(NEW);
});
