import { createHash } from "node:crypto";
import pLimit from "p-limit";
import type { Db } from "../../../db/open.ts";
import {
  type ListedVersion,
  listVersions,
  revisionOf,
  shownTags,
  versionTexts,
} from "../../../db/packages/npm/find.ts";
import { findVersion, type PackageRow } from "../../../db/packages/versions.ts";
import { turn } from "../../../db/turns.ts";
import type { NpmDocument } from "../../../domain/npm/package.ts";
import {
  abbreviatedVersion,
  aboutPackage,
  fullVersion,
} from "../../../domain/npm/packument.ts";
import { byBytes } from "../by-bytes.ts";

/**
 * The two forms of a packument (the document of a package). `abbreviated` has only what an
 * installation needs and is several times smaller.
 */
type Form = "full" | "abbreviated";

export type Packuments = {
  /**
   * Returns the packument of a package as JSON; null if it is larger than MOST: then it must be sent as `pieces`
   * yields it. `base`: URL of the repository, without a slash at the end.
   */
  get: (owner: PackageRow, base: string, form: Form) => Promise<Buffer | null>;
  /** Yields the packument in pieces of about PIECE bytes, or of one version. */
  pieces: (owner: PackageRow, base: string, form: Form) => AsyncGenerator<Buffer, void>;
};

const MIB = 1024 * 1024;
/** Maximum bytes of packuments kept in memory. */
const KEPT = 32 * MIB;
/** Maximum bytes of a packument that is put together in memory, and how many at once. */
const MOST = 8 * MIB;
const AT_ONCE = 4;
/** What a packument that is not kept counts for among those that are. */
const NOT_KEPT = 1024;

/**
 * Builds packuments and keeps those used last: a packument of thousands of versions takes a moment,
 * and clients request it often.
 */
export function createPackuments(db: Db): Packuments {
  const kept = new Map<string, { body: Promise<Buffer | null>; size: number }>();
  const limit = pLimit(AT_ONCE);
  let total = 0;

  function makeRoom(): void {
    for (const [key, { size }] of kept) {
      if (total <= KEPT) return;
      kept.delete(key);
      total -= size;
    }
  }

  return {
    async get(owner, base, form) {
      const key = tagOf(owner, base, form);
      const known = kept.get(key);
      const entry = known ?? {
        body: limit(() => whole(pieces(db, owner, base, form))),
        size: 0,
      };
      kept.delete(key);
      kept.set(key, entry);
      try {
        const body = await entry.body;
        if (entry.size === 0 && kept.get(key) === entry) {
          entry.size = body?.length ?? NOT_KEPT;
          total += entry.size;
          makeRoom();
        }
        return body;
      } catch (error) {
        kept.delete(key);
        throw error;
      }
    },
    pieces: (owner, base, form) => pieces(db, owner, base, form),
  };
}

async function whole(parts: AsyncIterable<Buffer>): Promise<Buffer | null> {
  const read: Buffer[] = [];
  let length = 0;
  for await (const part of parts) {
    length += part.length;
    if (length > MOST) return null;
    read.push(part);
  }
  return Buffer.concat(read, length);
}

/**
 * Returns the ETag of a packument. It depends on `base`, too, because a packument contains
 * addresses below it.
 */
export function tagOf(owner: PackageRow, base: string, form: Form): string {
  return `${revisionOf(owner)}-${createHash("sha256").update(base).digest("hex").slice(0, 8)}-${form}`;
}

/** Number of versions after which other work gets its turn. */
const STEP = 100;
/** Documents (bytes) that are read at once from a package that has more than ALL. */
const PIECE = 256 * 1024;
/** Maximum bytes of the documents of a package that are read at once, so that they are consistent. */
const ALL = 4 * MIB;

/**
 * Builds a packument. The names and tags of the versions are those of the beginning, and so is the revision: who
 * changes the package by an answer during which it was changed is refused. A version that is deleted meanwhile is left
 * out.
 */
async function* pieces(
  db: Db,
  owner: PackageRow,
  base: string,
  form: Form,
): AsyncGenerator<Buffer, void> {
  const listed = listVersions(db, owner.id);
  const shape = form === "full" ? fullVersion : abbreviatedVersion;
  let written = headOf(db, owner, form, listed);
  let versions = 0;
  for (const page of pagesOf(listed)) {
    const rows = versionTexts(db, page);
    for (let row = rows.shift(); row !== undefined; row = rows.shift()) {
      const document = shape(JSON.parse(row.document) as NpmDocument, base);
      const comma = versions === 0 ? "" : ",";
      written += `${comma}${JSON.stringify(row.name)}:${JSON.stringify(document)}`;
      versions += 1;
      if (versions % STEP === 0) await turn("answer");
      if (written.length < PIECE) continue;
      yield Buffer.from(written);
      written = "";
    }
    await turn("answer");
  }
  yield Buffer.from(`${written}}}`);
}

function pagesOf(listed: readonly ListedVersion[]): Iterable<number[]> {
  const bytes = listed.reduce((sum, each) => sum + each.bytes, 0);
  return byBytes(listed, bytes <= ALL ? ALL : PIECE);
}

/** Returns the packument up to its first version. */
function headOf(
  db: Db,
  owner: PackageRow,
  form: Form,
  listed: readonly ListedVersion[],
): string {
  const tags = shownTags(db, owner.id, () => listed.map(({ name }) => name));
  const head = { name: owner.name, "dist-tags": Object.fromEntries(tags) };
  const modified = new Date(owner.lastModifiedDate).toISOString();
  if (form === "abbreviated") return open({ ...head, modified });
  const latest = findVersion(db, owner.id, tags.get("latest") ?? "")?.document ?? {};
  return open({
    _id: owner.name,
    _rev: revisionOf(owner),
    ...head,
    ...aboutPackage(latest),
    time: times(owner, listed, modified),
  });
}

const open = (about: NpmDocument): string =>
  `${JSON.stringify(about).slice(0, -1)},"versions":{`;

function times(
  owner: PackageRow,
  listed: readonly ListedVersion[],
  modified: string,
): Record<string, string> {
  const created = new Date(owner.createdDate).toISOString();
  return Object.fromEntries([
    ["created", created],
    ["modified", modified],
    ...listed.map(({ name, createdDate }) => [name, new Date(createdDate).toISOString()]),
  ]);
}
