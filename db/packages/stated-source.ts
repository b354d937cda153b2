import type {
  SourceVersion,
  StatedVersion,
  VersionFile,
} from "../../domain/sync-versions.ts";
import type { NodeRow } from "../content/nodes.ts";
import { auditOf } from "../audit.ts";
import type { Db, DbOrTx } from "../open.ts";
import type { PackageRow, VersionRow } from "./versions.ts";

/** The transaction and moment in which versions are read for another instance. */
export type Reading = { db: Db; tx: DbOrTx; repositoryId: number; now: number };

type Told = Pick<StatedVersion, "digest" | "files" | "distTags" | "sourceVersions">;

/**
 * Builds the version that another instance gets; if it has no files, it counts as deleted ("gone").
 */
export function sourceVersion(
  owner: PackageRow,
  row: VersionRow,
  told: Told,
): SourceVersion {
  if (told.files.length === 0) return { kind: "gone" };
  return {
    kind: "found",
    version: {
      package: owner.name,
      version: row.name,
      document: row.document,
      ...auditOf(row),
      ...told,
    },
  };
}

/** Returns the node as a file of a version, in an array that is empty for a folder. */
export function toVersionFile({
  fullPath,
  size,
  sha256,
  metadata,
  ...row
}: NodeRow): VersionFile[] {
  return sha256 === null
    ? []
    : [{ path: fullPath, size, sha256, metadata, ...auditOf(row) }];
}
