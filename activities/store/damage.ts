import { hash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { TransferError } from "../../domain/failure.ts";
import type { DamageCause } from "../../domain/vocabulary.ts";

/**
 * A damaged content. `at` is the mark of the bytes that were looked at: other bytes in their place, as
 * those of an upload that came meanwhile, have another mark.
 */
export type Seen = { sha256: string; cause: DamageCause; at: string };

/** The words with which readers of a damaged content are refused. */
const MESSAGES: Readonly<Record<DamageCause, (sha256: string) => string>> = {
  MISSING: (sha256) =>
    `the content sha256:${sha256} is not in the store: upload the file again, or replicate it here again`,
  WRONG: (sha256) =>
    `the content sha256:${sha256} is damaged in the store: upload the file again, or replicate it here again`,
};

/** Thrown when the store cannot give a content because its bytes are gone or wrong. */
export class ContentDamage extends TransferError {
  readonly seen: Seen;

  constructor(seen: Seen, message = MESSAGES[seen.cause](seen.sha256)) {
    super(seen.cause === "MISSING" ? "notFound" : "invalid", message);
    this.seen = seen;
  }
}

export const missing = (sha256: string): ContentDamage =>
  new ContentDamage({ sha256, cause: "MISSING", at: NOWHERE });

export const wrong = (sha256: string, at: string): ContentDamage =>
  new ContentDamage({ sha256, cause: "WRONG", at });

/** The mark of a content that is nowhere. */
export const NOWHERE = "nowhere";

export const fileMark = ({
  ino,
  size,
  mtimeNs,
}: Pick<BigIntStats, "ino" | "size" | "mtimeNs">): string =>
  `file ${ino} ${size} ${mtimeNs}`;

export const inlineMark = (content: Uint8Array): string =>
  `inline ${hash("sha256", content)}`;
