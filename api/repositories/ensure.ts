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
import { text } from "../../domain/text.ts";
import { failWith } from "../http/errors.ts";
import type { By } from "../../db/audit.ts";
import type { RepositoryName } from "../http/repository.ts";
import { checkHosted } from "./hosted-types.ts";
import { checkImageNames } from "./image-names.ts";
import { UNLINKED } from "./linked.ts";

/**
 * Creates the project and the hosted repository if they are missing; returns whether it was created
 * and has no files. Throws 409 if the name belongs to a repository of another kind, 250105 if it
 * does not suit images or the type cannot be hosted yet.
 */
export function ensureRepository(
  db: Db,
  { projectId, repoName }: RepositoryName,
  type: RepositoryType,
  by: By,
): EnsureAnswer {
  checkHosted(type);
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
      ? text(`a hosted ${existing} repository`, `${existing} 本地仓库`)
      : text(
          `a linked ${existing} repository, which stands for a registry elsewhere`,
          `代表外部仓库的 ${existing} 远程仓库`,
        );
  failWith(
    409,
    251007,
    `${projectId}/${name}`,
    text(
      `it is ${kind.en}; a hosted ${type} repository is needed here: replicate to another name`,
      `它是${kind.zh}；此处需要 ${type} 本地仓库：请同步到其他名称`,
    ),
  );
}
