import { createHash } from "node:crypto";
import type { Db } from "../../../db/open.ts";
import {
  revisionOf,
  shownTags,
  type VersionText,
  versionTexts,
} from "../../../db/packages/npm/find.ts";
import type { PackageRow } from "../../../db/packages/versions.ts";
import { turn } from "../../../db/turns.ts";
import type { NpmDocument } from "../../../domain/npm/package.ts";
import {
  abbreviatedVersion,
  aboutPackage,
  fullVersion,
} from "../../../domain/npm/packument.ts";

/**
 * The two forms of a packument (the document of a package). `abbreviated` has only what an
 * installation needs and is several times smaller.
 */
type Form = "full" | "abbreviated";

export type Packuments = {
  /**
   * Returns the packument of a package as JSON; `base`: URL of the repository, without a slash at
   * the end.
   */
  get: (owner: PackageRow, base: string, form: Form) => Promise<Buffer>;
};

/** Maximum bytes of packuments kept in memory. */
const KEPT = 32 * 1024 * 1024;

/**
 * Builds packuments and keeps those used last: a packument of thousands of versions takes a moment,
 * and clients request it often.
 */
export function createPackuments(db: Db): Packuments {
  const kept = new Map<string, { body: Promise<Buffer>; size: number }>();
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
      const entry = known ?? { body: make(db, owner, base, form), size: 0 };
      kept.delete(key);
      kept.set(key, entry);
      try {
        const body = await entry.body;
        if (entry.size === 0 && kept.get(key) === entry) {
          entry.size = body.length;
          total += body.length;
          makeRoom();
        }
        return body;
      } catch (error) {
        kept.delete(key);
        throw error;
      }
    },
  };
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

/**
 * Builds a packument. All rows are read at once, so that they are consistent; the rest is done step
 * by step.
 */
async function make(
  db: Db,
  owner: PackageRow,
  base: string,
  form: Form,
): Promise<Buffer> {
  const rows = versionTexts(db, owner.id);
  const tags = shownTags(db, owner.id, () => rows.map(({ name }) => name));
  const shape = form === "full" ? fullVersion : abbreviatedVersion;
  let latest: NpmDocument = {};
  const versions: string[] = [];
  for (const [i, { name, document }] of rows.entries()) {
    const parsed = JSON.parse(document) as NpmDocument;
    if (name === tags.get("latest")) latest = parsed;
    versions.push(`${JSON.stringify(name)}:${JSON.stringify(shape(parsed, base))}`);
    if (i % STEP === STEP - 1) await turn("answer");
  }
  const head = { name: owner.name, "dist-tags": Object.fromEntries(tags) };
  const modified = new Date(owner.lastModifiedDate).toISOString();
  if (form === "abbreviated") return assemble({ ...head, modified }, versions);
  return assemble(
    {
      _id: owner.name,
      _rev: revisionOf(owner),
      ...head,
      ...aboutPackage(latest),
      time: times(owner, rows, modified),
    },
    versions,
  );
}

function assemble(about: NpmDocument, versions: string[]): Buffer {
  return Buffer.from(
    `${JSON.stringify(about).slice(0, -1)},"versions":{${versions.join(",")}}}`,
  );
}

function times(
  owner: PackageRow,
  rows: readonly VersionText[],
  modified: string,
): Record<string, string> {
  const created = new Date(owner.createdDate).toISOString();
  return Object.fromEntries([
    ["created", created],
    ["modified", modified],
    ...rows.map(({ name, createdDate }) => [name, new Date(createdDate).toISOString()]),
  ]);
}
