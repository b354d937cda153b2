import { isDeepStrictEqual } from "node:util";
import { deprecationOf, storedDocument, tagsToSet, tarballFile, withDeprecation } from "../../domain/npm.ts";
import type { StatedVersion, VersionAnswer, VersionFile } from "../../domain/sync-versions.ts";
import { distTagsOf, putNpmVersion } from "./npm-record.ts";
import { type Applying, auditOf, pairFiles, setMetadata, unchangeable, versionThere, writeFiles } from "./stated-applying.ts";
import { findPackage, tellVersion, type VersionRow } from "./versions.ts";

/** An npm version as it was judged: it has its tarball and its document. */
type Npm = StatedVersion & { document: Record<string, unknown> };

/** Decides an npm version by its tarball and makes it; a version that is there never changes but in its metadata: deprecation and dist-tags. */
export function applyNpmVersion(applying: Applying, stated: StatedVersion): VersionAnswer {
  const { rules, has } = applying;
  const [tarball] = stated.files;
  const { document } = stated;
  if (!tarball || document === null) return { result: "refused", code: 250106, message: `${stated.package}@${stated.version} has no tarball or no document` };
  const npm = { ...stated, document };
  const before = versionThere(applying, stated);
  if (before?.digest === stated.digest) {
    settleSame(applying, npm, tarball, before);
    return { result: "same" };
  }
  if (before && rules.conflictStrategy === "OVERWRITE") return unchangeable(`${stated.package}@${stated.version} is published there with another tarball`, before.digest);
  if (before) return { result: "conflict", existing: before.digest, path: tarball.path };
  if (!has(tarball.sha256)) return { result: "need", files: [tarball.sha256] };
  pairFiles(applying, stated.files);
  writeFiles(applying, stated.files);
  put(applying, rules.includeMetadata ? npm : { ...npm, document: withDeprecation(document, null) }, tarball);
  return { result: "made", written: 1 };
}

function settleSame(applying: Applying, npm: Npm, tarball: VersionFile, before: VersionRow): void {
  const { tx, repository, rules } = applying;
  const kept = before.document ?? npm.document;
  const document = rules.includeMetadata ? withDeprecation(kept, deprecationOf(npm.document)) : kept;
  const stored = storedDocument(document, npm.package, npm.version, tarballFile(npm.package, npm.version));
  const marked = rules.includeMetadata && setMetadata(applying, npm.files, pairFiles(applying, npm.files).there);
  if (!isDeepStrictEqual(stored, before.document) || chosenTags(applying, npm).length > 0) put(applying, { ...npm, document }, tarball);
  else if (marked) tellVersion(tx, repository, npm.package, before, rules.now);
}

function put(applying: Applying, npm: Npm, { sha256, size }: VersionFile): void {
  const { tx, repository, rules } = applying;
  const file = tarballFile(npm.package, npm.version);
  const entry = { name: npm.package, version: npm.version, document: npm.document, tarball: { sha256, size, file }, distTags: chosenTags(applying, npm) };
  putNpmVersion(tx, repository, entry, auditOf(npm), rules.now);
}

function chosenTags({ tx, repository, rules }: Applying, { package: name, version, distTags }: Npm): string[] {
  const owner = findPackage(tx, repository.id, name);
  return tagsToSet(owner ? distTagsOf(tx, owner.id) : new Map(), version, distTags, rules.includeMetadata);
}
