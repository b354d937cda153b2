import { compareBuilds, isMainArtifact, isPom } from "../../../domain/maven/layout.ts";
import type { DbOrTx } from "../../open.ts";
import { mavenFiles } from "./record.ts";

/**
 * Returns the path of a version's main artifact, of the newest build; without a main artifact that
 * of its POM, else that of any file; null when it has no files.
 */
export function mainFile(
  db: DbOrTx,
  repositoryId: number,
  packageName: string,
  name: string,
): string | null {
  const files = mavenFiles(db, repositoryId, packageName, name).sort((a, b) =>
    compareBuilds(b.build, a.build),
  );
  return (files.find(isMainArtifact) ?? files.find(isPom) ?? files[0])?.path ?? null;
}
