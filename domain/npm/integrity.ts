import { record } from "../json.ts";
import { type NpmDocument } from "./package.ts";

/** Digests of a tarball, in lower-case hex. */
export type TarballDigests = { sha1: string; sha256: string; sha512: string };

const HASH = /^(sha1|sha256|sha512)-([A-Za-z0-9+/]+={0,2})(?:\?.*)?$/;

/** Whether a version's document states a digest of its tarball. */
export function announcesTarball(document: NpmDocument): boolean {
  const { shasum, integrity } = record(document["dist"]);
  return shasum !== undefined || Boolean(integrity);
}

/**
 * Returns how the tarball contradicts `dist.shasum` or `dist.integrity` of the version's document, or that
 * `dist.integrity` cannot be read; null when all that is stated matches.
 */
export function integrityProblem(
  document: NpmDocument,
  found: TarballDigests,
): string | null {
  const { shasum, integrity } = record(document["dist"]);
  const said = String(shasum);
  if (shasum !== undefined && said.toLowerCase() !== found.sha1) {
    return `the tarball has the shasum ${found.sha1}, not ${said.slice(0, 100)} as announced`;
  }
  for (const hash of String(integrity ?? "")
    .split(/\s+/)
    .filter(Boolean)) {
    const [, algorithm = "", wanted] = HASH.exec(hash) ?? [];
    if (wanted === undefined)
      return `dist.integrity ${hash.slice(0, 150)} is not a sha512, sha256 or sha1 of a tarball`;
    const own = toBase64(found[algorithm as keyof TarballDigests]);
    if (own !== wanted)
      return `the tarball has the integrity ${algorithm}-${own}, not ${hash.slice(0, 150)} as announced`;
  }
  return null;
}

const toBase64 = (hex: string): string =>
  btoa(hex.replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16))));
