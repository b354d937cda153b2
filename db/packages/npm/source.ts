import { tarballFile, tarballPath } from "../../../domain/npm/package.ts";
import {
  MOST_SOURCE_VERSIONS,
  type SourceVersion,
  type StatedVersion,
} from "../../../domain/sync-versions.ts";
import { getNode } from "../../content/nodes.ts";
import type { DbOrTx } from "../../open.ts";
import { type Reading, sourceVersion, toVersionFile } from "../stated-source.ts";
import type { PackageRow, VersionRow } from "../versions.ts";
import { versionNames } from "./find.ts";
import { distTagsOf } from "./record.ts";

/**
 * Reads an npm version with its tarball and the dist-tags that name it; `gone` if its tarball does
 * not exist.
 */
export function readNpmVersion(
  { db, tx, repositoryId, now }: Reading,
  owner: PackageRow,
  row: VersionRow,
): SourceVersion {
  const tarball = getNode(
    db,
    repositoryId,
    tarballPath(owner.name, tarballFile(owner.name, row.name)),
    now,
  );
  const distTags = [...distTagsOf(tx, owner.id)]
    .filter(([, version]) => version === row.name)
    .map(([tag]) => tag);
  const files = tarball ? toVersionFile(tarball) : [];
  return sourceVersion(owner, row, {
    digest: row.digest,
    files,
    distTags,
    ...toldVersions(tx, owner.id, distTags),
  });
}

function toldVersions(
  tx: DbOrTx,
  packageId: number,
  distTags: readonly string[],
): Pick<StatedVersion, "sourceVersions"> {
  if (!distTags.includes("latest")) return {};
  const sourceVersions = versionNames(tx, packageId);
  return sourceVersions.length > MOST_SOURCE_VERSIONS ? {} : { sourceVersions };
}
