import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openKey } from "../../api/keys/open-key.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { instance } from "../../db/schema/content.ts";
import { openAll, unbind, withDb, writeSealedData } from "../rigs/db/sealed-data.ts";
import { startWrongly } from "../rigs/runs/mistaken-start.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const OTHER = "fedcba9876543210fedcba9876543210";

let folder: string;
beforeEach(() => (folder = writeSealedData(KEY)));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Makes the database one of a release that knew nothing of its key. */
const forget = () =>
  withDb(folder, (db) => {
    unbind(db, KEY);
    db.delete(instance).run();
  });

test("a database without a key adopts the one that opens its values, and binds them to their ends, once", () => {
  forget();
  const told: object[] = [];
  const open = () =>
    withDb(folder, (db) => openKey(db, KEY, { info: (facts) => told.push(facts) }));
  open();
  open();
  expect(told).toEqual([{ credentials: 40 }]);
  expect(openAll(folder)).toBe(KEY);
});

test("a database without a key adopts none that opens nothing", () => {
  forget();
  const open = (key: string) =>
    withDb(folder, (db) => openKey(db, key, { info: () => {} }));
  expect(() => open(OTHER)).toThrow(/is not that of this database/);
  open(KEY);
  expect(() => open(OTHER)).toThrow(/whose key has the id [0-9a-f]{12}/);
});

test.each<[what: string, prepare: () => void, env: Record<string, string>, says: RegExp]>(
  [
    [
      "another key in the file",
      () => writeFile(OTHER),
      {},
      /is not that of this database/,
    ],
    [
      "another SECRET_KEY",
      () => rmSync(join(folder, "secret-key")),
      { SECRET_KEY: OTHER },
      /is not that of this database/,
    ],
    [
      "no key",
      () => rmSync(join(folder, "secret-key")),
      {},
      /The secret key of this database is missing/,
    ],
    [
      "no key, and a database of an earlier release",
      () => {
        forget();
        rmSync(join(folder, "secret-key"));
      },
      {},
      /The secret key of this database is missing/,
    ],
    [
      "another key, and a database of an earlier release",
      () => {
        forget();
        writeFile(OTHER);
      },
      {},
      /is not that of this database/,
    ],
  ],
)(
  "a start with %s is refused, names the remedy, and changes nothing",
  async (_what, prepare, env, says) => {
    prepare();
    const before = readdirSync(folder).toSorted();
    const { code, output } = await startWrongly("main", { DATA_DIR: folder, ...env });
    expect(code).toBe(1);
    expect(output).toMatch(says);
    expect(output).toMatch(/rotate-key -- --lost/);
    expect(output).not.toMatch(/^\s+at /m);
    const made = readdirSync(folder).filter((name) => !before.includes(name));
    expect(made.filter((name) => !name.startsWith("lock"))).toEqual([]);
    writeFile(KEY);
    expect(openAll(folder)).toBe(KEY);
  },
);

const writeFile = (key: string) => writeFileSync(join(folder, "secret-key"), `${key}\n`);

test("credentials of an earlier release that somebody puts into a database later are not bound to anything", () => {
  openAll(folder);
  withDb(folder, (db) => {
    unbind(db, KEY);
    db.update(cluster).set({ url: "https://evil.test" }).run();
  });
  expect(() => openAll(folder)).toThrow(/sealed for/);
});
