import type { Context } from "hono";
import type { ImageKey } from "../../../db/packages/image/find.ts";
import { findRepository, type RepositoryRow } from "../../../db/content/repositories.ts";
import { splitImageName } from "../../../domain/image/layout.ts";
import { isImageType } from "../../../domain/repository-types.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { linkedElsewhere } from "../../http/repository.ts";
import { OciError } from "./errors.ts";
import type { Target } from "./target.ts";
import type { Rights } from "./rights.ts";

/** A request about one image. */
export type ImageRequest = {
  c: Context<Env>;
  deps: ApiDeps;
  target: Target;
  place: Place;
  rights: Rights;
};

export type Place = {
  name: string;
  image: string;
  repository: RepositoryRow;
  key: ImageKey;
};

/**
 * Returns the place of an image; the image need not exist. Throws 404 unless its repository is
 * hosted here and of type DOCKER or OCI.
 */
export function placeOf({ db }: Pick<ApiDeps, "db">, name: string): Place {
  const parts = splitImageName(name);
  if (!parts)
    throw unknownName(name, "names of images here are project/repository/image");
  const { projectId, repoName, image } = parts;
  const repository = findRepository(db, projectId, repoName);
  if (!repository)
    throw unknownName(
      name,
      `there is no repository ${projectId}/${repoName}: create one of type DOCKER or OCI first`,
    );
  if (repository.category !== "LOCAL")
    throw unknownName(
      name,
      `${projectId}/${repoName} is ${linkedElsewhere("images").en}`,
    );
  if (!isImageType(repository.type))
    throw unknownName(
      name,
      `${projectId}/${repoName} is a repository of type ${repository.type}: images need one of type DOCKER or OCI`,
    );
  return { name, image, repository, key: { repositoryId: repository.id, image } };
}

export const unknownName = (name: string, why: string) =>
  new OciError(404, "NAME_UNKNOWN", `${name}: ${why}`);

export const blockedName = (name: string) =>
  new OciError(
    400,
    "NAME_INVALID",
    `${name} cannot be an image: a file of another image is at the path of this image's folder; choose another name`,
  );
