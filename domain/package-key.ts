import { factsOf } from "./repository-types.ts";
import { text, type Text } from "./text.ts";
import type { RepositoryType } from "./vocabulary.ts";

/** A package by its type and its name: `docker://library/nginx`. */
type PackageKey = { scheme: string; name: string };

const MAX_NAME = 512;
/** Characters that no package name may have: control characters, halves of surrogate pairs, blanks. */
const UNFIT = /[\p{Cc}\p{Cs}\s]/u;

export function packageKeyOf(type: RepositoryType, name: string): string {
  return `${factsOf(type).schemes[0]}://${name}`;
}

/** Returns the part of a package key after `://`; the whole text if it has no `://`. */
export function packageNameOf(key: string): string {
  const at = key.indexOf("://");
  return at < 0 ? key : key.slice(at + 3);
}

/**
 * Splits a package key at its first `://`. Returns null when that is missing, the scheme is empty, or the
 * name is too long, has characters of UNFIT, or has a segment that is empty, `.` or `..`.
 */
export function parsePackageKey(key: string): PackageKey | null {
  const at = key.indexOf("://");
  const scheme = key.slice(0, at);
  const name = key.slice(at + 3);
  if (at < 1 || name === "" || name.length > MAX_NAME || UNFIT.test(name)) return null;
  return name.split("/").some((part) => part === "" || part === "." || part === "..")
    ? null
    : { scheme, name };
}

/** Returns why `key` is not a package of a repository of `type`; null when it is. */
export function packageKeyProblem(key: string, type: RepositoryType): Text | null {
  const { schemes, exampleKey, nameProblem } = factsOf(type);
  const parsed = parsePackageKey(key);
  const shown = JSON.stringify(key.slice(0, 100));
  if (parsed === null || !schemes.includes(parsed.scheme))
    return text(
      `${shown} is not a package of a repository of type ${type}: write ${exampleKey}`,
      `${shown} 不是 ${type} 仓库的包：请写成 ${exampleKey.replaceAll(" or ", " 或 ")}`,
    );
  return nameProblem(parsed.name);
}
