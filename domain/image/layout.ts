/**
 * Returns the file name of a digest (`{algorithm}:{hex}`). In the paths of this file, `image` is the
 * image's name inside its repository.
 */
const fileOf = (digest: string): string => digest.replace(":", "__");

export const blobFolder = (image: string): string => `/${image}/blobs`;
export const manifestFolder = (image: string): string => `/${image}/manifests`;
export const blobPath = (image: string, digest: string): string =>
  `${blobFolder(image)}/${fileOf(digest)}`;
export const manifestPath = (image: string, digest: string): string =>
  `${manifestFolder(image)}/${fileOf(digest)}`;

/** The name of a hosted image for clients: `{projectId}/{repoName}/{image}`. */
type ImageName = { projectId: string; repoName: string; image: string };

/** Splits the valid name of an image into its parts; null when it has fewer than three segments. */
export function splitImageName(name: string): ImageName | null {
  const [projectId = "", repoName = "", ...image] = name.split("/");
  return image.length === 0 ? null : { projectId, repoName, image: image.join("/") };
}
