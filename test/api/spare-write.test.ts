import Sqlite from "better-sqlite3";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { spareWrite } from "../../api/http/spare-write.ts";

/** A database that can be full: it may have only so many pages as it has. */
let folder: string;
let db: Sqlite.Database;
const warnings: string[] = [];
const logger = { warn: (_facts: object, text: string) => void warnings.push(text) };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spare-write-"));
  db = new Sqlite(join(folder, "marks.db"));
  db.exec("CREATE TABLE mark (text)");
  warnings.splice(0);
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const fill = () =>
  db.pragma(`max_page_count = ${db.pragma("page_count", { simple: true })}`);
const empty = () => db.pragma("max_page_count = 1000");
const mark = () => void db.prepare("INSERT INTO mark VALUES (?)").run("x".repeat(8_000));
const marks = () => db.prepare("SELECT count(*) FROM mark").pluck().get();

test("a mark that a full disk does not take is left out, and the log says so once until there is room", () => {
  const write = (name: string) => spareWrite({ logger }, name, mark);
  write("the mark");
  expect([marks(), warnings]).toEqual([1, []]);
  fill();
  for (let i = 0; i < 3; i += 1) write("the mark");
  write("another mark");
  const told = (name: string) => `${name} cannot be written; it is tried again`;
  expect([marks(), warnings]).toEqual([1, [told("the mark"), told("another mark")]]);
  empty();
  write("the mark");
  expect(marks()).toBe(2);
  fill();
  write("the mark");
  expect(warnings.slice(2)).toEqual([told("the mark")]);
});

test("a mark that a disk mounted read-only does not take is left out, too", () => {
  const readonly = new Sqlite(join(folder, "marks.db"), { readonly: true });
  const insert = () => void readonly.prepare("INSERT INTO mark VALUES ('x')").run();
  spareWrite({ logger }, "a third mark", insert);
  expect(warnings).toEqual(["a third mark cannot be written; it is tried again"]);
  readonly.close();
});

test("an error that is not one of a full or failing disk is not hidden", () => {
  const wrong = () => void db.prepare("INSERT INTO marks VALUES (1)").run();
  expect(() => spareWrite({ logger }, "the mark", wrong)).toThrow(/no such table/);
  expect(warnings).toEqual([]);
});
