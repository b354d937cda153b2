import { digestParts, isDigest } from "../../domain/digest.ts";
import { isTag } from "../../domain/reference.ts";
import { OciError } from "./errors.ts";

const SHAPE = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

/** Whether a reference is a digest and no tag: tags have no colon. */
export const isDigestLike = (reference: string): boolean => reference.includes(":");

/** A digest that content here may have. */
export function sha256Of(text: string | undefined, what = "the digest"): string {
  const shown = JSON.stringify((text ?? "").slice(0, 100));
  if (text === undefined || text === "") throw new OciError(400, "DIGEST_INVALID", `${what} is missing: add ?digest=sha256:…`);
  if (isDigest(text) && digestParts(text).algorithm === "sha256") return text;
  if (SHAPE.test(text) && !text.startsWith("sha256:")) throw new OciError(400, "DIGEST_INVALID", `${what} ${shown} is not supported: only sha256 is here`);
  throw new OciError(400, "DIGEST_INVALID", `${what} ${shown} is none: write sha256: and 64 lower-case hex digits`);
}

/** A digest of any algorithm: what is attached may name one that we could not hold. */
export function anyDigest(text: string): string {
  if (text.startsWith("sha256:") || !SHAPE.test(text)) return sha256Of(text);
  return text;
}

export function tagOf(text: string): string {
  if (isTag(text)) return text;
  throw new OciError(400, "MANIFEST_INVALID", `${JSON.stringify(text.slice(0, 140))} is no tag: write up to 128 letters, digits and . _ -, of which the first is no . or -`);
}
