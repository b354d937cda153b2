import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { layout } from "../../../activities/store/layout.ts";
import { createStore, type Store } from "../../../activities/store/store.ts";
import { openInlineBlobs } from "../../../db/content/inline-blobs.ts";
import { openDb } from "../../../db/open.ts";
import { insertProject } from "../../../db/content/projects.ts";
import { findRepository, insertRepository } from "../../../db/content/repositories.ts";

export const NOW = Date.UTC(2030, 0, 1);
export const HOUR = 3_600_000;

export const sha256 = (content: Uint8Array | string) =>
  createHash("sha256").update(content).digest("hex");
export const md5 = (content: Uint8Array | string) =>
  createHash("md5").update(content).digest("hex");

/** Returns the content as a body that arrives in pieces of `piece` bytes. */
export const body = (content: Uint8Array, piece = 64 * 1024) =>
  Readable.from(
    Array.from({ length: Math.ceil(content.length / piece) }, (_, i) =>
      content.subarray(i * piece, (i + 1) * piece),
    ),
  );

export async function read(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}

export const random = (size: number) => randomBytes(size);

/** Opens an upload session. */
export async function openSession({
  sessions,
}: Pick<Store, "sessions">): Promise<string> {
  const id = await sessions.open("tests");
  if (id === null) throw new Error("too many sessions are open");
  return id;
}

/** Returns the number of files that this process has open; Linux only. */
export const openFiles = () => readdirSync("/proc/self/fd").length;

const SILENT = { info: () => {}, warn: () => {}, error: () => {} };

/** Opens the database and store of a data directory as the control plane does. */
export function openContent(dataDir: string) {
  const db = openDb(join(dataDir, "replication.db"));
  const inline = openInlineBlobs(layout(dataDir).inlineFile);
  const store = createStore(layout(dataDir), inline);
  const close = () => {
    inline.close();
    db.$client.close();
  };
  return { dataDir, db, inline, store, now: () => NOW, logger: SILENT, close };
}

/**
 * Opens a database and store in a fresh directory, with a GENERIC repository p/r; `close` deletes the
 * directory.
 */
export function createContent(dataDir = mkdtempSync(join(tmpdir(), "content-test-"))) {
  const content = openContent(dataDir);
  const by = { user: "tester", now: NOW };
  insertProject(content.db, { name: "p", displayName: "p", description: null }, by);
  insertRepository(content.db, { ...HOSTED, projectId: "p", name: "r" }, by);
  const repository = findRepository(content.db, "p", "r");
  if (!repository) throw new Error("repository p/r was not created");
  const close = () => {
    content.close();
    rmSync(dataDir, { recursive: true, force: true });
  };
  return { ...content, repository, close };
}

const HOSTED = {
  type: "GENERIC",
  category: "LOCAL",
  public: false,
  description: null,
  displayName: null,
  url: null,
  username: null,
  secret: null,
  certificate: null,
  insecureSkipVerify: false,
} as const;
