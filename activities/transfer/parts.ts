import { type Part, subjectOf } from "../../domain/artifact.ts";
import { artifactOutcome, failedOutcome } from "../../domain/artifact-outcome.ts";
import { compareContent } from "../../domain/content-digests.ts";
import {
  type ArtifactDecision,
  comparePart,
  decideArtifact,
  type Fact,
  type PartComparison,
} from "../../domain/decide.ts";
import { toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, ArtifactResult } from "../../domain/outcome.ts";
import type { ComparedBy, VerifiedBy } from "../../domain/vocabulary.ts";
import { type CopiedContent, openContent, withRead } from "./content.ts";
import type { PartsCopy } from "./parts-copy.ts";
import { digested, readWithin } from "./read-back.ts";
import { verifyParts } from "./verify.ts";

/** Fields of an outcome that are collected while the artifact is copied. */
type Told = {
  compared?: ComparedBy;
  verified?: VerifiedBy;
  note?: string;
  bytesRead: number;
};

/**
 * Copies one artifact: looks at what the target has, decides, writes the lacking parts with the committing
 * part last, verifies them, and sets tags and other labels. Every failure is an outcome; throws only when
 * the signal fires.
 */
export async function copyParts(copy: PartsCopy): Promise<ArtifactOutcome> {
  const content = openContent(copy.source, copy.artifact, copy.hooks, copy.uploads);
  const told: Told = { bytesRead: 0 };
  try {
    const outcome = await decideAndWrite(copy, content, told, false);
    return { ...outcome, ...told };
  } catch (error) {
    copy.hooks.signal.throwIfAborted();
    const failure = toTransferError(error);
    return {
      ...failedOutcome(
        copy.artifact,
        failure,
        failure.keepsUpload ? content.left() : [],
        content.bytesSent(),
      ),
      ...told,
    };
  }
}

/**
 * Compares the artifact with the target, decides and writes. `again`: a second pass with fresh facts,
 * because the target refused the write for content that the first look did not show.
 */
async function decideAndWrite(
  copy: PartsCopy,
  content: CopiedContent,
  told: Told,
  again: boolean,
): Promise<ArtifactOutcome> {
  const { artifact, target, rules, hooks } = copy;
  const facts = await target.stat(artifact, again || rules.mayHaveSent, hooks.signal);
  const found = await compareAll(copy, facts, told);
  const decision = decideArtifact(found, rules, target.nature);
  try {
    if (decision.kind === "write") await write(copy, content, decision.lacking, told);
  } catch (error) {
    if (again || toTransferError(error).kind !== "immutable") throw error;
    return decideAndWrite(copy, content, told, true);
  }
  if (decision.kind === "same" && rules.mayHaveSent)
    await verifyEarlier(copy, content, found, told);
  if (decision.kind === "same" || decision.kind === "write") await label(copy, told);
  return outcomeOf(copy, content, decision, facts);
}

async function compareAll(
  copy: PartsCopy,
  facts: readonly (Fact | null)[],
  told: Told,
): Promise<PartComparison[]> {
  const found: PartComparison[] = [];
  for (const [at, part] of copy.artifact.parts.entries()) {
    const comparison = comparePart(part, facts[at] ?? null, copy.rules.compare);
    found.push(
      comparison.kind === "unread"
        ? await compareByReading(copy, part, facts[at] ?? null, told)
        : comparison,
    );
  }
  const weakest = (["SIZE", "READ", "DIGEST"] as const).find((by) =>
    found.some((each) => each.kind === "same" && each.by === by),
  );
  if (weakest !== undefined) told.compared = weakest;
  return found;
}

/**
 * Compares a part by its bytes. A part counts as different when the target offers no reading, or the
 * control plane does not allow so many bytes to be read.
 */
async function compareByReading(
  copy: PartsCopy,
  part: Part,
  there: Fact | null,
  told: Told,
): Promise<PartComparison> {
  if (copy.target.open === undefined) return { kind: "different" };
  const { ended, ...read } = await readWithin(
    copy,
    part,
    there?.size ?? part.size,
    copy.mayRead,
  );
  told.bytesRead += read.size;
  if (!ended) return { kind: "different" };
  const here = await digested(copy, part);
  told.compared = "READ";
  return compareContent(here, read) === "same"
    ? { kind: "same", by: "READ" }
    : { kind: "different" };
}

async function write(
  copy: PartsCopy,
  content: CopiedContent,
  lacking: readonly number[],
  told: Told,
): Promise<void> {
  const { artifact, target } = copy;
  const parts = lacking.flatMap((at) => artifact.parts[at] ?? []);
  await target.put(artifact, parts, content);
  await verify(copy, parts, content, told);
}

/**
 * Verifies an artifact that the target already has and that an earlier attempt of this run may have
 * written. That the artifact compared equal with the source is proof enough, unless the task demands
 * READ_BACK: then its bytes are read, if the comparison did not read them.
 */
async function verifyEarlier(
  copy: PartsCopy,
  content: CopiedContent,
  found: readonly PartComparison[],
  told: Told,
): Promise<void> {
  const proofs = found.flatMap((each) => (each.kind === "same" ? PROOFS[each.by] : []));
  const weakest = (["SIZE", "DIGEST", "READ_BACK"] as const).find((each) =>
    proofs.includes(each),
  );
  if (copy.rules.verification === "READ_BACK" && weakest !== "READ_BACK")
    return verify(copy, copy.artifact.parts, content, told);
  if (weakest !== undefined) told.verified = weakest;
}

const PROOFS = {
  DIGEST: "DIGEST",
  SIZE: "SIZE",
  READ: "READ_BACK",
} as const satisfies Record<ComparedBy, VerifiedBy>;

async function verify(
  copy: PartsCopy,
  parts: readonly Part[],
  content: CopiedContent,
  told: Told,
): Promise<void> {
  const { verified, bytesRead } = await verifyParts(copy, parts, content);
  told.verified = verified;
  told.bytesRead += bytesRead;
}

async function label(
  { artifact, target, rules, hooks }: PartsCopy,
  told: Told,
): Promise<void> {
  const note = await target.label?.(artifact, rules, hooks.signal);
  if (note) told.note = note;
}

function outcomeOf(
  copy: PartsCopy,
  content: CopiedContent,
  decision: ArtifactDecision,
  facts: readonly (Fact | null)[],
): ArtifactOutcome {
  const { rules } = copy;
  const artifact = {
    ...copy.artifact,
    parts: copy.artifact.parts.map((part) => withRead(part, content)),
  };
  const parts = artifact.parts.length;
  const end = (
    result: ArtifactResult,
    nodes: { success?: number; skip?: number; failed?: number },
  ) => artifactOutcome(artifact, result, nodes, content.bytesSent());
  switch (decision.kind) {
    case "same":
      return rules.mayHaveSent
        ? end({ kind: "sent" }, { success: parts })
        : end({ kind: "same" }, { skip: parts });
    case "write":
      return end(
        { kind: decision.replaces ? "replaced" : "sent" },
        { success: decision.lacking.length, skip: parts - decision.lacking.length },
      );
    case "leave":
      return end({ kind: "skipped" }, { skip: parts });
    case "conflict":
      return end(
        {
          kind: "failed",
          reason: `${otherContent(copy, decision.at, facts)} and the conflict strategy is FAST_FAIL`,
          conflict: true,
          stopsCluster: true,
        },
        { failed: parts },
      );
    case "immutable":
      return end(
        {
          kind: "failed",
          reason: `${otherContent(copy, decision.at, facts)}, and ${IMMUTABLE_ADVICE}`,
          conflict: true,
          stopsCluster: false,
        },
        { failed: parts },
      );
  }
}

const IMMUTABLE_ADVICE =
  "what is published there never changes: " +
  "publish the content under another version, or choose the conflict strategy SKIP";

function otherContent(
  { artifact, at }: PartsCopy,
  index: number,
  facts: readonly (Fact | null)[],
): string {
  const path = artifact.parts[index]?.path ?? "";
  const [digest] = Object.entries(facts[index]?.digests ?? {});
  const what = [artifact.version === "" ? "" : path, digest ? digest.join(":") : ""]
    .filter(Boolean)
    .join("; ");
  return `${subjectOf(artifact)}: ${at} has other content there${what === "" ? "" : ` (${what})`}`;
}
