import { isImageName } from "./reference.ts";
import type { RepositoryType } from "./vocabulary.ts";

/** `docker://library/nginx`: a package by its type and its name. */
export type PackageKey = { scheme: string; name: string };

const MAX_NAME = 512;
/** Control characters, halves of surrogate pairs, blanks. */
const UNFIT = /[\p{Cc}\p{Cs}\s]/u;

/** Maven's keys are coordinates (`gav://group:artifact`); all other schemes are the type's name. */
export function schemeOf(type: RepositoryType): string {
  return type === "MAVEN" ? "gav" : type.toLowerCase();
}

export function packageKeyOf(type: RepositoryType, name: string): string {
  return `${schemeOf(type)}://${name}`;
}

/** What stands behind the scheme. */
export function packageNameOf(key: string): string {
  const at = key.indexOf("://");
  return at < 0 ? key : key.slice(at + 3);
}

/** Splits at the first `://` only; null when there is none, or a part is empty or unfit. */
export function parsePackageKey(key: string): PackageKey | null {
  const at = key.indexOf("://");
  const scheme = key.slice(0, at);
  const name = key.slice(at + 3);
  if (at < 1 || name === "" || name.length > MAX_NAME || UNFIT.test(name)) return null;
  return name.split("/").some((part) => part === "" || part === "." || part === "..") ? null : { scheme, name };
}

/** Why `key` names no package of a repository of `type`, or null. Image repositories take `docker://` and `oci://` alike. */
export function packageKeyProblem(key: string, type: RepositoryType): string | null {
  const images = type === "DOCKER" || type === "OCI";
  const schemes = images ? ["docker", "oci"] : [schemeOf(type)];
  const parsed = parsePackageKey(key);
  const example = type === "MAVEN" ? "gav://group:artifact" : schemes.map((scheme) => `${scheme}://name`).join(" or ");
  if (parsed === null || !schemes.includes(parsed.scheme)) return `${JSON.stringify(key.slice(0, 100))} is no package of a ${type} repository: write ${example}`;
  if (images && !isImageName(parsed.name)) return `${JSON.stringify(parsed.name.slice(0, 100))} is no image: write lower-case letters, digits and . _ - / as in ${example}`;
  const coordinates = parsed.name.split(":");
  if (type === "MAVEN" && (coordinates.length !== 2 || coordinates.includes(""))) return `${JSON.stringify(key.slice(0, 100))} is no Maven package: write ${example}`;
  return null;
}
