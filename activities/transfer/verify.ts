import type { Part } from "../../domain/artifact.ts";
import { comparePart, type Fact } from "../../domain/decide.ts";
import { TransferError } from "../../domain/failure.ts";
import type { VerifiedBy } from "../../domain/vocabulary.ts";
import { type CopiedContent, withRead } from "./content.ts";
import type { PartsCopy } from "./parts-copy.ts";
import { digested, readTarget } from "./read-back.ts";

type Verified = { verified: VerifiedBy; bytesRead: number };

/**
 * Verifies the written parts: by a digest that the target reports, by the size if no digest can be
 * compared, and by reading the bytes under READ_BACK. Returns the weakest proof of all parts. Throws
 * `digestMismatch` if a part is missing or has other content, `unsupported` if the target reports neither
 * size nor digest, or offers no reading under READ_BACK.
 */
export async function verifyParts(
  copy: PartsCopy,
  parts: readonly Part[],
  content: CopiedContent,
): Promise<Verified> {
  const { artifact, target, hooks, rules } = copy;
  const facts = await target.stat(artifact, true, hooks.signal);
  const result: Verified = {
    verified: rules.verification === "READ_BACK" ? "READ_BACK" : "DIGEST",
    bytesRead: 0,
  };
  for (const part of parts) {
    const written = withRead(part, content);
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

/** Returns what proves that the target has the part; throws if nothing does. */
function mustBe({ at }: PartsCopy, part: Part, there: Fact | null): "DIGEST" | "SIZE" {
  const found = comparePart(part, there, "SIZE");
  if (found.kind === "same") return found.by === "DIGEST" ? "DIGEST" : "SIZE";
  // The target has the part, but reports neither digest nor size of it.
  if (there !== null && there.size === null && Object.keys(there.digests).length === 0)
    throw unproved(part, at);
  const what =
    there === null
      ? "afterwards the content is missing there"
      : "afterwards other content is there";
  throw new TransferError(
    "digestMismatch",
    `${part.path} was sent to ${at}, but ${what}: check whether anyone else writes there`,
  );
}

const unproved = (part: Part, at: string): TransferError =>
  new TransferError(
    "unsupported",
    `${at} reports neither digest nor size of ${part.path}, so nothing proves that it arrived: ` +
      "set verification to READ_BACK",
  );
