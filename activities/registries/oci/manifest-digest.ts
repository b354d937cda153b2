import { digestParts, isDigest, type Digest } from "../../../domain/digest.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { TransferError } from "../../../domain/failure.ts";
import type { HttpResponse } from "../http-message.ts";
import { digestOf } from "../verified.ts";

export const MANIFEST_LIMIT = LIMITS.manifest.bytes;

export function manifestLabel(name: string, reference: string): string {
  return isDigest(reference)
    ? `manifest ${name}@${reference}`
    : `image ${name}:${reference}`;
}

/**
 * Computes the digest of a manifest's bytes. Throws `digestMismatch` when it differs from the requested digest,
 * or, if a tag was requested, from the digest in the answer.
 */
export function checkedDigest(
  bytes: Buffer,
  reference: string,
  response: HttpResponse,
  what: string,
): Digest {
  const said = response.header("docker-content-digest");
  const expected = isDigest(reference) ? reference : isDigest(said) ? said : undefined;
  const digest = digestOf(
    bytes,
    expected === undefined ? "sha256" : digestParts(expected).algorithm,
  );
  if (expected !== undefined && digest !== expected) {
    throw new TransferError(
      "digestMismatch",
      `${what}: its bytes have the digest ${digest}, not ${expected}: the copy there is corrupt; push it again`,
    );
  }
  return digest;
}
