/** Paths of the parts of a hosted image: `image` is its name inside its repository, digests are `{algorithm}:{hex}`. */
const fileOf = (digest: string): string => digest.replace(":", "__");

export const blobFolder = (image: string): string => `/${image}/blobs`;
export const manifestFolder = (image: string): string => `/${image}/manifests`;
export const blobPath = (image: string, digest: string): string =>
  `${blobFolder(image)}/${fileOf(digest)}`;
export const manifestPath = (image: string, digest: string): string =>
  `${manifestFolder(image)}/${fileOf(digest)}`;

/** The name of a hosted image for clients: `{projectId}/{repoName}/{image}`. */
type ImageName = { projectId: string; repoName: string; image: string };

/** Splits a name that is valid as a whole; null when it contains no image. */
export function splitImageName(name: string): ImageName | null {
  const [projectId = "", repoName = "", ...image] = name.split("/");
  return image.length === 0 ? null : { projectId, repoName, image: image.join("/") };
}
