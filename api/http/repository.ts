import type { DbOrTx } from "../../db/open.ts";
import { findProject } from "../../db/content/projects.ts";
import { findRepository, type RepositoryRow } from "../../db/content/repositories.ts";
import { text } from "../../domain/text.ts";
import { fail } from "./errors.ts";

/** Names a repository as request paths do. */
export type Named = { projectId: string; repoName: string };

/** The kinds of content of a repository, in sentences. */
const CONTENTS = { files: "文件", images: "镜像", packages: "包" } as const;

/** The sentence about a linked repository where a hosted one is needed; `content`: what it would hold. */
export const linkedElsewhere = (content: keyof typeof CONTENTS) =>
  text(
    `a linked repository, whose ${content} are in another registry: request them there`,
    `远程仓库，${CONTENTS[content]}位于外部仓库：请到外部仓库请求`,
  );

/** The repository that a request names; 251004 without its project, else 251006. */
export function repositoryOf(db: DbOrTx, { projectId, repoName }: Named): RepositoryRow {
  const found = findRepository(db, projectId, repoName);
  if (found) return found;
  return findProject(db, projectId)
    ? fail(251006, `${projectId}/${repoName}`)
    : fail(251004, projectId);
}

/** The hosted repository that a request names; 250112 for a linked one, and as `repositoryOf` without one. */
export function hostedRepository(db: DbOrTx, named: Named): RepositoryRow {
  const found = repositoryOf(db, named);
  if (found.category === "LOCAL") return found;
  const name = `${named.projectId}/${named.repoName}`;
  const { en, zh } = linkedElsewhere("files");
  return fail(250112, text(`${name} is ${en}`, `${name} 是${zh}`));
}
