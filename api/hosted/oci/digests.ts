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
  const shown = JSON.stringify((text ?? "").slice(0, 100));
  if (text === undefined || text === "")
    throw new OciError(400, "DIGEST_INVALID", `${what} is missing: add ?digest=sha256:…`);
  if (isDigest(text)) return text;
  if (SHAPE.test(text) && !SUPPORTED.test(text))
    throw new OciError(
      400,
      "DIGEST_INVALID",
      `${what} ${shown} is not supported: use sha256 or sha512`,
    );
  throw new OciError(
    400,
    "DIGEST_INVALID",
    `${what} ${shown} is not valid: write sha256: and 64 lower-case hex digits, or sha512: and 128`,
  );
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
  throw new OciError(
    400,
    "MANIFEST_INVALID",
    `${JSON.stringify(text.slice(0, 140))} is not a valid tag: use up to 128 letters, digits and . _ -, ` +
      "and begin with a letter, digit or _",
  );
}
