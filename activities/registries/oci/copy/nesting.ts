import { TransferError } from "../../../../domain/failure.ts";
import { isIndexType } from "../../../../domain/image/media-types.ts";
import type { Manifest } from "../manifest.ts";

/** Levels of indexes of one image, of which each is held until those below it are copied; builders write one or two. */
const MOST_LEVELS = 8;
const CODE = "NESTED_TOO_DEEPLY";

/**
 * Throws when a manifest is an index at a deeper level (from 1, the image itself) than images may have. The failure is
 * permanent and ends the copy: another image may have the same index at a higher level.
 */
export function checkLevel(
  { source, giveUp }: { source: { name: string }; giveUp: () => void },
  manifest: Manifest,
  level: number,
): void {
  if (level <= MOST_LEVELS || !isIndexType(manifest.mediaType)) return;
  giveUp();
  const index = `index ${source.name}@${manifest.digest}`;
  throw new TransferError(
    "invalid",
    `${index} lies below ${MOST_LEVELS} other indexes, more are not copied: ` +
      "push the image with fewer levels of indexes",
    { codes: [CODE] },
  );
}

export const isNestedTooDeeply = ({ codes }: TransferError): boolean =>
  codes?.includes(CODE) === true;
