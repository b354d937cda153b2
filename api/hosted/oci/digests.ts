import { type Digest, isDigest } from "../../../domain/digest.ts";
import { isTag } from "../../../domain/reference.ts";
import { OciError } from "./errors.ts";

const SUPPORTED = /^sha(?:256|512):/;
const SHAPE = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

/** Whether a reference is meant as a digest and not as a tag: tags have no colon. */
export const isDigestLike = (reference: string): boolean => reference.includes(":");

/**
 * Parses a digest of an algorithm that this registry stores; throws 400 for anything else. `what`
 * names the digest in messages.
 */
export function digestOf(text: string | undefined, what = "the digest"): Digest {
  if (isDigest(text)) return text;
  throw new OciError(400, "DIGEST_INVALID", digestFault(text ?? "", what));
}

/** Says what is wrong with a text that is not a digest of an algorithm that this registry stores. */
function digestFault(text: string, what: string): string {
  const shown = JSON.stringify(text.slice(0, 100));
  if (text === "") return `${what} is missing: add ?digest=sha256:…`;
  if (SHAPE.test(text) && !SUPPORTED.test(text))
    return `${what} ${shown} is not supported: use sha256 or sha512`;
  return `${what} ${shown} is not valid: write sha256: and 64 lower-case hex digits, or sha512: and 128`;
}

/**
 * Parses a digest of any algorithm; throws 400 for anything else. A client may request the
 * attachments of a digest that cannot be stored here.
 */
export function anyDigest(text: string): string {
  if (SUPPORTED.test(text) || !SHAPE.test(text)) return digestOf(text);
  return text;
}

export function tagOf(text: string): string {
  if (isTag(text)) return text;
  throw new OciError(400, "MANIFEST_INVALID", tagFault(text));
}

function tagFault(text: string): string {
  return (
    `${JSON.stringify(text.slice(0, 140))} is not a valid tag: use up to 128 letters, digits and . _ -, ` +
    "and begin with a letter, digit or _"
  );
}

/**
 * Says why nothing can be stored under the reference of a manifest; null for a valid tag or digest. A read
 * with such a reference is answered with 404 (distribution-spec 1.1, end-3).
 */
export function referenceFault(reference: string): string | null {
  if (isDigest(reference) || isTag(reference)) return null;
  return isDigestLike(reference)
    ? digestFault(reference, "the digest")
    : tagFault(reference);
}

/** Says why no blob can have this digest; null for a valid one. A read of it is answered with 404 (end-2). */
export const blobFault = (text: string): string | null =>
  isDigest(text) ? null : digestFault(text, "the digest");
