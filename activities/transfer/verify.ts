import type { Part } from "../../domain/artifact.ts";
import { comparePart, type Fact } from "../../domain/decide.ts";
import { TransferError } from "../../domain/failure.ts";
import type { VerifiedBy } from "../../domain/vocabulary.ts";
import type { CopiedContent } from "./content.ts";
import type { PartsCopy } from "./parts.ts";
import { digested, readTarget } from "./read-back.ts";

export type Verified = { verified: VerifiedBy; bytesRead: number };

/**
 * Looks at what was written: the digest that the target tells proves it; where it tells none, its size; READ_BACK reads
 * its bytes in any case. Throws `digestMismatch` where something else is there, or nothing. Answers the weakest proof
 * of all parts.
 */
export async function verifyParts(copy: PartsCopy, parts: readonly Part[], content: CopiedContent): Promise<Verified> {
  const { artifact, target, hooks, rules } = copy;
  const facts = await target.stat(artifact, true, hooks.signal);
  const result: Verified = { verified: rules.verification === "READ_BACK" ? "READ_BACK" : "DIGEST", bytesRead: 0 };
  for (const part of parts) {
    const written = asWritten(part, content);
    const there = facts[artifact.parts.indexOf(part)] ?? null;
    if (rules.verification === "READ_BACK") {
      const known = await digested(copy, written);
      const read = await readTarget(copy, known);
      result.bytesRead += read.size;
      mustBe(copy, known, read);
    } else if (mustBe(copy, written, there) === "SIZE") result.verified = "SIZE";
  }
  return result;
}

/** The part with what was read of it while it was sent. */
function asWritten(part: Part, { read }: CopiedContent): Part {
  const known = read.get(part.path);
  return known ? { ...part, size: known.size, digests: { ...part.digests, ...known.digests } } : part;
}

function mustBe({ at }: PartsCopy, part: Part, there: Fact | null): "DIGEST" | "SIZE" {
  const found = comparePart(part, there, "SIZE");
  if (found.kind === "same") return found.by === "DIGEST" ? "DIGEST" : "SIZE";
  // A target that tells neither a digest nor a size has at least something there.
  if (there !== null && there.size === null && Object.keys(there.digests).length === 0) throw unproved(part, at);
  const what = there === null ? "it is not there" : "something else is there";
  throw new TransferError(
    "digestMismatch",
    `${part.path} was sent to ${at}, and ${what} afterwards: does anybody else write there?`,
  );
}

const unproved = (part: Part, at: string): TransferError =>
  new TransferError(
    "unsupported",
    `${at} tells neither digest nor size of ${part.path}, so that nothing proves that it arrived: set verification to READ_BACK`,
  );
