import { type Db, write } from "../../db/open.ts";
import { hasFiles } from "../../db/content/nodes.ts";
import { insertProject } from "../../db/content/projects.ts";
import {
  findRepository,
  insertRepository,
  type RepositoryRow,
} from "../../db/content/repositories.ts";
import type { EnsureAnswer } from "../../domain/sync.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { failWith } from "../http/errors.ts";
import type { By } from "../../db/audit.ts";
import type { Named } from "../http/repository.ts";
import { checkImageNames } from "./image-names.ts";
import { UNLINKED } from "./linked.ts";

/** Creates project and repository where they are missing; 409 when the name belongs to a repository of another kind. */
export function ensureRepository(
  db: Db,
  { projectId, repoName }: Named,
  type: RepositoryType,
  by: By,
): EnsureAnswer {
  return write(db, (tx) => {
    const found = findRepository(tx, projectId, repoName);
    if (found) {
      checkKind(found, type);
      return { created: false, empty: !hasFiles(tx, found.id) };
    }
    checkImageNames({ projectId, repoName }, type, "repoName");
    insertProject(tx, { name: projectId, displayName: projectId, description: null }, by);
    insertRepository(
      tx,
      {
        projectId,
        name: repoName,
        type,
        category: "LOCAL",
        public: false,
        description: null,
        displayName: null,
        ...UNLINKED,
      },
      by,
    );
    return { created: true, empty: true };
  });
}

function checkKind(
  { projectId, name, category, type: existing }: RepositoryRow,
  type: RepositoryType,
): void {
  if (category === "LOCAL" && existing === type) return;
  const kind =
    category === "LOCAL"
      ? `a hosted ${existing} repository`
      : `a linked ${existing} repository, which stands for a registry elsewhere`;
  failWith(
    409,
    251007,
    `${projectId}/${name}`,
    `it is ${kind}; a hosted ${type} repository is needed here: replicate to another name`,
  );
}
