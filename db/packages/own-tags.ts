import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { isImageType } from "../../domain/capabilities.ts";

const ATTACHED = `sha256-${"[0-9a-f]".repeat(64)}`;
const PREFIX = "sha256-".length + 64;

/** Whether a version is an artifact of its own: of images, tags that are attached to others are parts of those (`attachedTo`). */
export function isOwnVersion(name: SQLWrapper, type: RepositoryType): SQL {
  if (!isImageType(type)) return sql`1`;
  return sql`NOT (substr(${name}, 1, ${PREFIX}) GLOB ${ATTACHED} AND substr(${name}, ${PREFIX + 1}) IN ('', '.sig', '.att', '.sbom'))`;
}
