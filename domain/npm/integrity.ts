import { type NpmDocument, record } from "./package.ts";

/** Of a tarball, in lower-case hex. */
export type TarballDigests = { sha1: string; sha256: string; sha512: string };

const HASH = /^(sha1|sha256|sha512)-([A-Za-z0-9+/]+={0,2})(?:\?.*)?$/;

/** Whether a version's document says of its tarball what could be wrong. */
export function announcesTarball(document: NpmDocument): boolean {
  const { shasum, integrity } = record(document["dist"]);
  return shasum !== undefined || Boolean(integrity);
}

/**
 * What is wrong about `dist.shasum` and `dist.integrity` of a version's document, given the tarball that came; null
 * when they fit.
 */
export function integrityProblem(document: NpmDocument, found: TarballDigests): string | null {
  const { shasum, integrity } = record(document["dist"]);
  const said = String(shasum);
  if (shasum !== undefined && said.toLowerCase() !== found.sha1) {
    return `the tarball has the shasum ${found.sha1}, not ${said.slice(0, 100)} as announced`;
  }
  for (const hash of String(integrity ?? "")
    .split(/\s+/)
    .filter(Boolean)) {
    const [, algorithm = "", wanted] = HASH.exec(hash) ?? [];
    if (wanted === undefined) return `dist.integrity ${hash.slice(0, 150)} is no sha512, sha256 or sha1 of a tarball`;
    const own = toBase64(found[algorithm as keyof TarballDigests]);
    if (own !== wanted)
      return `the tarball has the integrity ${algorithm}-${own}, not ${hash.slice(0, 150)} as announced`;
  }
  return null;
}

const toBase64 = (hex: string): string =>
  btoa(hex.replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16))));
