import { TransferError } from "../../../../domain/failure.ts";
import type { Descriptor } from "../../../../domain/image/manifest.ts";
import type { Manifest } from "../manifest.ts";

/** The code that registries have for a size that is not the content's (distribution-spec, "Error Codes"). */
const SIZE_INVALID = "SIZE_INVALID";

/**
 * The error of a manifest that says a wrong size of a blob: the blob is sound, and reading it again changes nothing.
 */
export function misstatedSize(
  name: string,
  manifest: Pick<Manifest, "digest">,
  blob: Descriptor,
  actual: number,
): TransferError {
  const message = `manifest ${name}@${manifest.digest} misstates the size of blob ${blob.digest}: says ${blob.size}, has ${actual}: build the image again and push it`;
  return new TransferError("invalid", message, { codes: [SIZE_INVALID] });
}

export const isMisstatement = ({ codes }: TransferError): boolean => codes?.includes(SIZE_INVALID) === true;
