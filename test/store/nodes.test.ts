import { afterEach, expect, test } from "vitest";
import { putBlobs } from "../../db/content/blobs.ts";
import { deleteNodes } from "../../db/content/delete-nodes.ts";
import { getNode, pageNodes, statPaths } from "../../db/content/nodes.ts";
import { putNodes, type NodeEntry, type PutRules } from "../../db/content/put-nodes.ts";
import { addFollower } from "../rigs/db/rows.ts";
import { createContent, HOUR, md5, NOW, sha256 } from "../rigs/api/content-fixture.ts";

const opened: { close: () => void }[] = [];
afterEach(() => opened.splice(0).forEach(({ close }) => close()));

/** Creates a repository without stored contents: files (nodes) need only the database rows of their contents. */
function nodes() {
  const made = createContent();
  opened.push(made);
  const { db, repository } = made;
  const known = (text: string) => {
    putBlobs(
      db,
      [{ sha256: sha256(text), md5: md5(text), size: text.length, inline: true }],
      NOW,
    );
    return sha256(text);
  };
  const put = (entries: NodeEntry[], rules: Partial<PutRules> = {}) =>
    putNodes(db, repository, entries, {
      overwrite: false,
      user: "tester",
      now: NOW,
      ...rules,
    });
  const entry = (fullPath: string, text: string = fullPath): NodeEntry => ({
    fullPath,
    sha256: known(text),
    metadata: {},
  });
  const paths = () =>
    db.$client.prepare("SELECT full_path FROM node ORDER BY full_path").pluck().all();
  const get = (fullPath: string) => getNode(db, repository.id, fullPath, NOW);
  return { ...made, known, put, entry, paths, get };
}

test("files are created with their parent folders, and with the size and md5 of their content", () => {
  const { put, entry, paths, get } = nodes();
  const results = put([entry("/a/b/c.txt", "hello"), entry("/a/b/d.txt"), entry("/e")]);
  expect(results).toEqual([
    { kind: "created" },
    { kind: "created" },
    { kind: "created" },
  ]);
  expect(paths()).toEqual(["/a", "/a/b", "/a/b/c.txt", "/a/b/d.txt", "/e"]);
  expect(get("/a/b/c.txt")).toMatchObject({
    parent: "/a/b",
    name: "c.txt",
    folder: false,
    size: 5,
    md5: md5("hello"),
    createdBy: "tester",
    createdDate: NOW,
  });
  expect(get("/a")).toMatchObject({ parent: "/", name: "a", folder: true, sha256: null });
});

test("a new file whose content is missing from the store is reported, and creates no folder", () => {
  const { put, entry, paths } = nodes();
  const missing = { fullPath: "/new/file", sha256: sha256("absent"), metadata: {} };
  expect(put([missing, entry("/there")])).toEqual([
    { kind: "missing" },
    { kind: "created" },
  ]);
  expect(paths()).toEqual(["/there"]);
});

test("an existing file is replaced only with overwrite, and then its old content counts as just used", () => {
  const { put, entry, get, db, known } = nodes();
  put([{ ...entry("/file", "old"), metadata: { k: "v" } }]);
  expect(put([entry("/file", "new")])).toEqual([
    { kind: "existed", sha256: sha256("old") },
  ]);
  expect(get("/file")?.sha256).toBe(sha256("old"));
  const later = NOW + HOUR;
  expect(
    put([{ fullPath: "/file", sha256: known("new"), metadata: null }], {
      overwrite: true,
      user: "other",
      now: later,
    }),
  ).toEqual([{ kind: "replaced", sha256: sha256("old") }]);
  expect(get("/file")).toMatchObject({
    sha256: sha256("new"),
    metadata: { k: "v" },
    createdBy: "tester",
    lastModifiedBy: "other",
    lastModifiedDate: later,
  });
  expect(
    db.$client
      .prepare("SELECT touched_date FROM blob WHERE sha256 = ?")
      .pluck()
      .get(sha256("old")),
  ).toBe(later);
});

test("a file cannot replace a folder, and a folder cannot replace a file, also within one call", () => {
  const { put, entry, paths } = nodes();
  const results = put(
    [entry("/a/file"), entry("/a"), entry("/a/file/below"), entry("/a/file/deep/below")],
    {
      overwrite: true,
    },
  );
  expect(results).toEqual([
    { kind: "created" },
    { kind: "blocked", at: "/a" },
    { kind: "blocked", at: "/a/file" },
    { kind: "blocked", at: "/a/file" },
  ]);
  expect(paths()).toEqual(["/a", "/a/file"]);
});

test("an expired file does not block a new file or folder at its path", () => {
  const { put, entry, get } = nodes();
  put([
    { ...entry("/a"), expireDate: NOW - 1 },
    { ...entry("/b"), expireDate: NOW - 1 },
  ]);
  expect(put([entry("/a", "again"), entry("/b/below")])).toEqual([
    { kind: "created" },
    { kind: "created" },
  ]);
  expect(get("/b")?.folder).toBe(true);
});

test("each new or changed file writes one event if a task follows uploads of its project", () => {
  const { put, entry, db } = nodes();
  addFollower(db, "another");
  put([entry("/a/before")]);
  addFollower(db, "p");
  put([
    entry("/a/b", "x"),
    { fullPath: "/missing", sha256: sha256("absent"), metadata: {} },
  ]);
  put([entry("/a/b", "y")]);
  put([entry("/a/b", "y")], { overwrite: true });
  const events = db.$client
    .prepare(
      "SELECT project_id, repo_name, kind, subject, digest FROM event ORDER BY seq",
    )
    .raw()
    .all();
  expect(events).toEqual(
    ["x", "y"].map((text) => ["p", "r", "node", "/a/b", `sha256:${sha256(text)}`]),
  );
});

test("statPaths returns the existing files and folders of many paths", () => {
  const { put, entry, db, repository } = nodes();
  put([
    { ...entry("/a/b", "x"), metadata: { k: "v" } },
    { ...entry("/gone"), expireDate: NOW },
  ]);
  const found = statPaths(db, repository.id, ["/a", "/a/b", "/nothing", "/gone"], NOW);
  expect(Object.fromEntries(found)).toMatchObject({
    "/a": { folder: true },
    "/a/b": { folder: false, size: 1, sha256: sha256("x"), metadata: { k: "v" } },
  });
  expect(found.size).toBe(2);
});

test("a page lists a folder's children or its whole tree, with folders first on request", () => {
  const { put, entry, db, repository } = nodes();
  put(["/a/1", "/a/b/3", "/0"].map((path) => entry(path)));
  const page = (
    folder: string,
    deep: boolean,
    includeFolder = true,
    foldersFirst = true,
  ) => {
    const { total, nodes } = pageNodes(db, repository.id, {
      folder,
      deep,
      includeFolder,
      foldersFirst,
      offset: 0,
      limit: 10,
      now: NOW,
    });
    expect(nodes).toHaveLength(total);
    return nodes.map(({ fullPath }) => fullPath);
  };
  expect(page("/", false)).toEqual(["/a", "/0"]);
  expect(page("/", true)).toEqual(["/a", "/a/b", "/0", "/a/1", "/a/b/3"]);
  expect(page("/", true, true, false)).toEqual(["/0", "/a", "/a/1", "/a/b", "/a/b/3"]);
  expect(page("/a", true, false)).toEqual(["/a/1", "/a/b/3"]);
  expect(page("/a/b", false)).toEqual(["/a/b/3"]);
});

test("deleting a folder deletes the thousands of files below it, and nothing beside it", async () => {
  const { put, entry, paths, db, repository } = nodes();
  const many = Array.from({ length: 1300 }, (_, i) => ({
    ...entry("/big/x", "x"),
    fullPath: `/big/${i % 7}/${i % 11}/file-${i}`,
  }));
  put([...many, entry("/big0"), entry("/bigger/file"), entry("/other")]);
  expect(await deleteNodes(db, repository.id, "/big", NOW)).toBe(1300);
  expect(paths()).toEqual(["/big0", "/bigger", "/bigger/file", "/other"]);
  expect(await deleteNodes(db, repository.id, "/big", NOW)).toBeNull();
  expect(await deleteNodes(db, repository.id, "/other", NOW)).toBe(1);
  expect(await deleteNodes(db, repository.id, "/", NOW)).toBe(2);
  expect(paths()).toEqual([]);
});

test("files put into a folder during its deletion are kept, with their folders", async () => {
  const { put, entry, paths, db, repository } = nodes();
  put(
    Array.from({ length: 1200 }, (_, i) => ({
      ...entry("/big/x", "x"),
      fullPath: `/big/f/${i}`,
    })),
  );
  const deleting = deleteNodes(db, repository.id, "/big", NOW);
  put([entry("/big/f/new"), entry("/big/g/new")]);
  expect(await deleting).toBe(1200);
  expect(paths()).toEqual(["/big", "/big/f", "/big/f/new", "/big/g", "/big/g/new"]);
});

test("deleting a path does not delete the same path in another repository", async () => {
  const { put, entry, paths, db } = nodes();
  put([entry("/a/b")]);
  expect(await deleteNodes(db, 999, "/a", NOW)).toBeNull();
  expect(await deleteNodes(db, 999, "/", NOW)).toBe(0);
  expect(paths()).toEqual(["/a", "/a/b"]);
});
