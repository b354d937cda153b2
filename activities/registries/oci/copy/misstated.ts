import { TransferError } from "../../../../domain/failure.ts";
import type { Descriptor } from "../../../../domain/image/manifest.ts";
import type { Manifest } from "../manifest.ts";

/**
 * Error code of registries for a blob whose size differs from the size in a manifest
 * (distribution-spec, "Error Codes").
 */
const SIZE_INVALID = "SIZE_INVALID";

/**
 * Builds the error for a manifest that states a wrong size of a blob. The error is permanent: the blob
 * is intact, and another read changes nothing.
 */
export function misstatedSize(
  name: string,
  manifest: Pick<Manifest, "digest">,
  blob: Descriptor,
  actual: number,
): TransferError {
  const fault = `manifest ${name}@${manifest.digest} misstates the size of blob ${blob.digest}`;
  const message = `${fault}: says ${blob.size}, has ${actual}: build the image again and push it`;
  return new TransferError("invalid", message, { codes: [SIZE_INVALID] });
}

export const isMisstatement = ({ codes }: TransferError): boolean =>
  codes?.includes(SIZE_INVALID) === true;
