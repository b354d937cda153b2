/** Sentences that several answers append to the text of their code. */

export const tooLong = (bytes: number): string =>
  `the body is larger than ${bytes} bytes`;

/** Where the root of a repository is to be deleted like a folder. */
export const NAME_ONE =
  "name a file or folder; delete the repository to delete everything";

/** Lists names, at most `most` of them and the number of the others. */
export function listed(names: readonly string[], most: number): string {
  const more = names.length > most ? ` and ${names.length - most} more` : "";
  return `${names.slice(0, most).join(", ")}${more}`;
}

/** `allowed`: the methods that the path has, separated by commas. */
export const notOffered = (method: string, allowed: string): string =>
  `${method} is not supported here: use ${allowed}`;
