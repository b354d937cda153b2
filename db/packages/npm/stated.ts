import { isDeepStrictEqual } from "node:util";
import { compareClaim, type ContentFacts } from "../../../domain/content-digests.ts";
import {
  deprecationOf,
  storedDocument,
  tarballFile,
  withDeprecation,
} from "../../../domain/npm/package.ts";
import { decideTags } from "../../../domain/npm/tags.ts";
import { sameButForBuild } from "../../../domain/npm/version.ts";
import type { Decided } from "../../../domain/sync.ts";
import {
  type DescribedVersion,
  needAnswer,
  type VersionAnswer,
} from "../../../domain/sync-versions.ts";
import { auditOf } from "../../audit.ts";
import { blobFacts } from "../../content/blobs.ts";
import {
  type Applying,
  type JudgedVersion,
  mustFit,
  pairFiles,
  setMetadata,
  unchangeable,
  type VersionRules,
  versionThere,
  writeFiles,
} from "../stated-applying.ts";
import { findPackage, tellVersion, type VersionRow } from "../versions.ts";
import { findTwin } from "./find.ts";
import { distTagsOf, putNpmVersion } from "./record.ts";

/** A declared npm version that has passed the checks, so it has a document. */
type Npm = DescribedVersion & { document: Record<string, unknown> };
type Tarball = Pick<ContentFacts, "sha256" | "size">;

/**
 * Compares a declared npm version with the present one by the tarball, and creates it if it is
 * missing and its content is in the store. Of an existing version only the deprecation, the
 * dist-tags and the metadata of its tarball change.
 */
export function applyNpmVersion(
  applying: Applying,
  stated: JudgedVersion,
): Decided<VersionAnswer> {
  const { db, rules, has } = applying;
  const [tarball] = stated.files;
  const { document } = stated;
  if (!tarball || document === null)
    return {
      result: "refused",
      reason: "content",
      message: `${stated.package}@${stated.version} has no tarball or no document`,
    };
  const npm = { ...stated, document };
  const before = versionThere(applying, stated);
  const there = before && tarballOf(before);
  const compared = there
    ? compareClaim(tarball, rules.facts.get(there.sha256) ?? there)
    : "absent";
  // A version whose tarball is damaged here counts as absent, so that the tarball is sent again.
  const isDamaged =
    compared === "same" && tarball.sha256 !== null && !has(tarball.sha256);
  const comparison = isDamaged ? "absent" : compared;
  if (before && comparison === "same") {
    settleSame(applying, npm, before);
    return { result: "same" };
  }
  if (before && comparison === "different")
    return settleDifferent(rules, stated, before, tarball.path);
  const twin = before ? null : twinOf(applying, npm);
  if (twin !== null)
    return {
      result: "refused",
      reason: "exists",
      message: sameButForBuild(npm.package, npm.version, twin),
    };
  mustFit(applying, [tarball]);
  if (tarball.sha256 === null) return needAnswer([], [tarball.path]);
  if (!has(tarball.sha256) || !stated.fits) return needAnswer([tarball.sha256], []);
  pairFiles(applying, stated.files);
  writeFiles(applying, stated.files);
  if (before) {
    settleSame(applying, npm, before);
    return { result: "made", written: 1 };
  }
  const content = blobFacts(db, [tarball.sha256]).get(tarball.sha256) ?? {
    sha256: tarball.sha256,
    size: tarball.size ?? 0,
  };
  put(
    applying,
    rules.includeMetadata ? npm : { ...npm, document: withDeprecation(document, null) },
    content,
  );
  return { result: "made", written: 1 };
}

/** Returns the tarball of a version. The digest of the version is that of its tarball. */
const tarballOf = ({ digest, size }: VersionRow): Tarball => ({
  sha256: digest.slice("sha256:".length),
  size,
});

function twinOf(
  { tx, repository }: Applying,
  { package: name, version }: Npm,
): string | null {
  const owner = findPackage(tx, repository.id, name);
  return owner ? findTwin(tx, owner.id, version) : null;
}

function settleDifferent(
  { conflictStrategy }: VersionRules,
  stated: DescribedVersion,
  { digest }: VersionRow,
  path: string,
): Decided<VersionAnswer> {
  if (conflictStrategy !== "OVERWRITE")
    return { result: "conflict", existing: digest, path };
  return unchangeable(
    `${stated.package}@${stated.version} is published there with another tarball`,
    digest,
  );
}

function settleSame(applying: Applying, npm: Npm, before: VersionRow): void {
  const { tx, repository, rules } = applying;
  const kept = before.document ?? npm.document;
  const document = rules.includeMetadata
    ? withDeprecation(kept, deprecationOf(npm.document))
    : kept;
  const stored = storedDocument(
    document,
    npm.package,
    npm.version,
    tarballFile(npm.package, npm.version),
  );
  const marked =
    rules.includeMetadata &&
    setMetadata(applying, npm.files, pairFiles(applying, npm.files).there);
  if (!isDeepStrictEqual(stored, before.document) || chosenTags(applying, npm).length > 0)
    put(applying, { ...npm, document }, tarballOf(before));
  else if (marked) tellVersion(tx, repository, npm.package, before, rules.now);
}

function put(applying: Applying, npm: Npm, { sha256, size }: Tarball): void {
  const { tx, repository, rules } = applying;
  const file = tarballFile(npm.package, npm.version);
  const entry = {
    name: npm.package,
    version: npm.version,
    document: npm.document,
    tarball: { sha256, size, file },
    distTags: chosenTags(applying, npm),
  };
  putNpmVersion(tx, repository, entry, auditOf(npm), rules.now);
}

function chosenTags(
  { tx, repository, rules }: Applying,
  { package: name, version, distTags, sourceVersions }: Npm,
): string[] {
  const owner = findPackage(tx, repository.id, name);
  const told = sourceVersions && new Set(sourceVersions);
  const chosen = decideTags({
    strategy: rules.conflictStrategy,
    includeMetadata: rules.includeMetadata,
    source: new Map(distTags.map((tag) => [tag, version])),
    sourceHas: told ? (each) => told.has(each) : null,
    target: owner ? distTagsOf(tx, owner.id) : new Map(),
    targetHas: (each) => each === version,
  });
  return [...chosen.keys()];
}
