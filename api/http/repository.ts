import type { DbOrTx } from "../../db/open.ts";
import { findProject } from "../../db/content/projects.ts";
import { findRepository, type RepositoryRow } from "../../db/content/repositories.ts";
import { text } from "../../domain/text.ts";
import { fail } from "./errors.ts";

/** The project and name of a repository, as request paths give them. */
export type RepositoryName = { projectId: string; repoName: string };

/** Words for the content of a repository, with their Chinese, for sentences about it. */
const CONTENTS = { files: "文件", images: "镜像", packages: "包" } as const;

/**
 * Part of a sentence about a linked repository if a hosted one is needed; `content`: what is
 * requested of it.
 */
export const linkedElsewhere = (content: keyof typeof CONTENTS) =>
  text(
    `a linked repository, whose ${content} are in another registry: request them there`,
    `远程仓库，${CONTENTS[content]}位于外部仓库：请到外部仓库请求`,
  );

/**
 * Returns the repository that a request names. Throws 251004 if its project does not exist, else
 * 251006 if the repository does not.
 */
export function repositoryOf(
  db: DbOrTx,
  { projectId, repoName }: RepositoryName,
): RepositoryRow {
  const found = findRepository(db, projectId, repoName);
  if (found) return found;
  return findProject(db, projectId)
    ? fail(251006, `${projectId}/${repoName}`)
    : fail(251004, projectId);
}

/**
 * Returns the hosted repository that a request names. Throws 250112 for a linked one, 251004 if its
 * project does not exist, else 251006 if the repository does not.
 */
export function hostedRepository(db: DbOrTx, named: RepositoryName): RepositoryRow {
  const found = repositoryOf(db, named);
  if (found.category === "LOCAL") return found;
  const name = `${named.projectId}/${named.repoName}`;
  const { en, zh } = linkedElsewhere("files");
  return fail(250112, text(`${name} is ${en}`, `${name} 是${zh}`));
}
