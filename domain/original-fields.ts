/**
 * Fields of bk-repo's request bodies that this service does not offer (docs/api-differences.md). They are not taken
 * for misspelt ones; without a value they are not spoken of at all, because its clients send them as null.
 */
const NOT_OFFERED: ReadonlySet<string> = new Set([
  "packageRegex",
  "versionRegex",
  "pathRegex",
  "deletedDate",
  "sourceFilter",
  "extension",
  "remoteUserUsername",
  "remoteUserPassword",
]);

export const isNotOffered = (name: string): boolean => NOT_OFFERED.has(name);
