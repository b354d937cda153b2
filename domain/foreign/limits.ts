import { SYNC_LIMITS } from "../sync.ts";
import { text, type Text, TextError } from "../text.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * How much a document from outside may have: bytes; tokens, which are its values and the names of its fields; and
 * levels of nesting. Bytes alone do not bound what a document becomes in memory: the three bytes `{},` become 56.
 */
export type Limits = { bytes: number; tokens: number; depth: number };

/**
 * The limits by purpose. A token takes some 50 to 100 bytes of memory and a microsecond, so even the largest document
 * leaves the process its memory and its other requests their turn.
 */
export const LIMITS = {
  /** A few facts: capabilities, a token, an answer to a ping. */
  facts: { bytes: 64 * KIB, tokens: 2_000, depth: 16 },
  /** The body of an error. */
  error: { bytes: 64 * KIB, tokens: 2_000, depth: 16 },
  /** A manifest, an index or a page of referrers. */
  manifest: { bytes: 8 * MIB, tokens: 100_000, depth: 32 },
  /** What one answer of an instance says about each declared artifact, or a page of its nodes. */
  answer: { bytes: 16 * MIB, tokens: 200_000, depth: 32 },
  /** Files that another instance declares. */
  statement: { bytes: SYNC_LIMITS.statementBytes, tokens: 100_000, depth: 16 },
  /**
   * Versions that another instance declares, with their files and documents; and one of them. A document that is
   * nested too deeply is refused by itself, so depth is no limit here.
   */
  versions: { bytes: SYNC_LIMITS.versionBytes, tokens: 600_000, depth: 600_000 },
  statedVersion: { bytes: SYNC_LIMITS.versionBytes, tokens: 200_000, depth: 200_000 },
  /** A packument without the documents of its versions: names, dist-tags, times, a readme. */
  packument: { bytes: 32 * MIB, tokens: 300_000, depth: 128 },
  /** The document of one version of a package. */
  version: { bytes: 4 * MIB, tokens: 50_000, depth: 128 },
  /** A page of search results of a package registry. */
  search: { bytes: 8 * MIB, tokens: 100_000, depth: 32 },
  /** What a worker reports to the control plane, and what the control plane answers. */
  report: { bytes: 16 * MIB, tokens: 300_000, depth: 132 },
  order: { bytes: 64 * MIB, tokens: 1_000_000, depth: 132 },
  /** A POM, or a list of Maven plugins. */
  xml: { bytes: MIB, tokens: 100_000, depth: 64 },
} as const satisfies Record<string, Limits>;

/** The limits of a list of at most `entries` names, of which each has at most 256 letters. */
export const limitsOfList = (entries: number): Limits => ({
  bytes: 64 * KIB + entries * 300,
  tokens: entries + 1_000,
  depth: 8,
});

/** The limits of a body of at most `bytes` that people or their scripts write. */
export const limitsOfBody = (bytes: number): Limits => ({
  bytes,
  tokens: Math.max(20_000, Math.ceil(bytes / 8)),
  depth: 64,
});

/** `members`: of the field of which a document may have many (slices.ts). */
type Limit = keyof Limits | "members";

/** A document has more than its limits allow; `message` begins with "it has" or "it is". */
export class OverLimit extends TextError {
  override readonly name = "OverLimit";
  readonly limit: Limit;

  constructor(limit: Limit, most: number) {
    super(SENTENCES[limit](most));
    this.limit = limit;
  }
}

const SENTENCES: Record<Limit, (most: number) => Text> = {
  bytes: (most: number) =>
    text(
      `it has more than the ${most} bytes that are accepted`,
      `超过允许的 ${most} 字节`,
    ),
  tokens: (most: number) =>
    text(
      `it has more than the ${most} values that are accepted`,
      `超过允许的 ${most} 个值`,
    ),
  members: (most: number) =>
    text(
      `it lists more than the ${most} entries that are accepted`,
      `列出的条目超过允许的 ${most} 个`,
    ),
  depth: (most: number) =>
    text(
      `it is nested deeper than the ${most} levels that are accepted`,
      `嵌套超过允许的 ${most} 层`,
    ),
};
