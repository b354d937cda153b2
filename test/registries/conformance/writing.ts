import type {
  Content,
  Copier,
  End,
  PartsTarget,
  Settling,
  SettlingTarget,
} from "../../../activities/registries/contract.ts";
import { createPace } from "../../../activities/registries/pace.ts";
import type { Part } from "../../../domain/artifact.ts";
import { comparePart, type PartComparison } from "../../../domain/decide.ts";
import { TransferError } from "../../../domain/failure.ts";
import type { ArtifactOutcome, UploadState } from "../../../domain/outcome.ts";
import { readWhole } from "../../rigs/servers/faulty-bodies.ts";
import { quietHooks } from "../../rigs/transfer/instance-fixture.ts";
import { never, using } from "./reading.ts";
import type { Rig, Sample } from "./rig.ts";

/** The result of a write. `failure`: the thrown error; null when the failure arrived as an outcome. */
export type Delivery =
  | { kind: "sent" | "same" | "different" }
  | {
      kind: "failed" | "again";
      reason: string;
      notBefore: number | null;
      uploads: UploadState[];
      failure: TransferError | null;
    };

type Delivering = {
  changes?: Partial<End>;
  signal?: AbortSignal;
  uploads?: readonly UploadState[];
  /** Whether an earlier write of this artifact may have left something at the target. */
  again?: boolean;
};

/** Writes a sample through the connector's copier or target; throws when the signal fires. */
export async function deliver(
  rig: Rig,
  sample: Sample,
  options: Delivering = {},
): Promise<Delivery> {
  const { connector, from, to } = rig;
  if (connector.copier !== undefined) {
    await from.fill(sample);
    return using(connector.copier(from.end(), to.end(options.changes)), (copier) =>
      copied(copier, sample, options),
    );
  }
  return using(connector.target?.(to.end(options.changes), rig.type), (target) =>
    "settle" in target ? settled(target, sample, options) : put(target, sample, options),
  );
}

/** Runs `work` with a target that accepts single parts, and closes the target afterwards. */
export const withParts = <R>(
  rig: Rig,
  changes: Partial<End>,
  work: (target: PartsTarget) => Promise<R>,
): Promise<R> =>
  using(rig.connector.target?.(rig.to.end(changes), rig.type), (target) => {
    if ("settle" in target) throw new Error("the target takes no parts");
    return work(target);
  });

/** Compares each part with the target's content; reads that content if nothing else decides. */
export async function comparisons(
  target: PartsTarget,
  { artifact, contents }: Sample,
  signal = never(),
): Promise<PartComparison["kind"][]> {
  const facts = await target.stat(artifact, true, signal);
  return Promise.all(
    artifact.parts.map(async (part, at): Promise<PartComparison["kind"]> => {
      const { kind } = comparePart(part, facts[at] ?? null, "AUTO");
      if (kind !== "unread" || target.open === undefined) return kind;
      const { chunks } = await target.open(artifact, part, signal);
      return contents.get(part.path)?.equals(await readWhole(chunks)) === true
        ? "same"
        : "different";
    }),
  );
}

/** Makes the `content` argument with which a target is given the bytes of a sample. */
export function contentOf(
  stream: (part: Part, offset: number) => AsyncIterable<Uint8Array>,
  { signal = never(), uploads = [] }: Delivering = {},
) {
  const kept: UploadState[] = [];
  const content: Content = {
    signal,
    async open(
      part,
      { offset = 0, encode = (bytes: AsyncIterable<Uint8Array>) => bytes } = {},
    ) {
      return { size: part.size, bytes: encode(stream(part, offset)) };
    },
    uploads,
    keep: (state) => void kept.push(state),
  };
  return { content, kept };
}

/** Yields the bytes of a part in the pieces of a source. */
export async function* pieces(
  contents: Sample["contents"],
  { path }: Part,
  offset = 0,
): AsyncGenerator<Buffer, void, undefined> {
  const bytes = contents.get(path);
  if (bytes === undefined) throw new Error(`the sample has no ${path}`);
  for (let at = offset; at < bytes.length; at += 64 * 1024)
    yield bytes.subarray(at, at + 64 * 1024);
}

async function put(
  target: PartsTarget,
  sample: Sample,
  options: Delivering,
): Promise<Delivery> {
  const { content, kept } = contentOf(
    (part, offset) => pieces(sample.contents, part, offset),
    options,
  );
  try {
    const before = await comparisons(target, sample, content.signal);
    const lacking = sample.artifact.parts.filter((_, at) => before[at] !== "same");
    if (lacking.length === 0) return { kind: "same" };
    const isLeftover = options.again === true && !target.nature.atomic;
    if (before.some((kind) => kind === "different" || kind === "unread") && !isLeftover)
      return { kind: "different" };
    await target.put(sample.artifact, lacking, content);
    const after = await comparisons(target, sample, content.signal);
    if (after.some((kind) => kind !== "same"))
      throw new TransferError("digestMismatch", `written, and then ${after.join(", ")}`);
    return { kind: "sent" };
  } catch (error) {
    return failed(error, kept);
  }
}

/** Turns a TransferError into a delivery. Any other error is a fault of the connector and is thrown. */
function failed(failure: unknown, uploads: UploadState[]): Delivery {
  if (!(failure instanceof TransferError) || failure.kind === "cancelled") throw failure;
  const { message: reason, notBefore = null } = failure;
  return {
    kind: failure.retryable ? "again" : "failed",
    reason,
    notBefore,
    uploads,
    failure,
  };
}

async function copied(
  copier: Copier,
  { artifact: { name, version } }: Sample,
  options: Delivering,
): Promise<Delivery> {
  const { uploads = [], again = false, signal = never() } = options;
  const rules = {
    conflictStrategy: "SKIP",
    includeMetadata: true,
    mayHaveSent: again,
  } as const;
  return judged(
    await copier.copy({
      name,
      version,
      digest: null,
      targetVersions: undefined,
      rules,
      hooks: quietHooks({ signal }),
      uploads,
    }),
  );
}

/** Writes to a settling target as the engine does: a failure of `prepare` is the outcome of the artifact. */
async function settled(
  target: SettlingTarget,
  sample: Sample,
  options: Delivering,
): Promise<Delivery> {
  try {
    await target.prepare({ create: true }, options.signal ?? never());
  } catch (error) {
    return failed(error, [...(options.uploads ?? [])]);
  }
  return settledOne(target, sample, options);
}

async function settledOne(
  target: SettlingTarget,
  { artifact, contents }: Sample,
  options: Delivering,
): Promise<Delivery> {
  const { uploads = [], again = false, signal = never() } = options;
  const source: Settling["source"] = {
    open: async (_artifact, part, offset) => ({
      size: part.size,
      chunks: pieces(contents, part, offset),
    }),
    damaged: (part, found) =>
      new TransferError("digestMismatch", `${part.path} of the sample: ${found}`),
  };
  const outcomes: ArtifactOutcome[] = [];
  await target.settle({
    artifacts: [{ artifact, mayHaveSent: again, uploads: [...uploads] }],
    rules: { conflictStrategy: "SKIP", includeMetadata: true },
    source,
    hooks: quietHooks({ signal }),
    report: (_at, outcome) => void outcomes.push(outcome),
  });
  const [outcome, more] = outcomes;
  if (outcome === undefined || more !== undefined)
    throw new Error(`${outcomes.length} outcomes of one artifact`);
  return judged(outcome);
}

function judged({ result }: ArtifactOutcome): Delivery {
  if (result.kind === "skipped") return { kind: "different" };
  if (result.kind === "sent" || result.kind === "same") return { kind: result.kind };
  if (result.kind === "failed")
    return {
      kind: "failed",
      reason: result.reason,
      notBefore: null,
      uploads: [],
      failure: null,
    };
  if (result.kind === "again")
    return {
      kind: "again",
      reason: result.reason,
      notBefore: result.notBefore,
      uploads: result.uploads,
      failure: null,
    };
  throw new Error(
    `an outcome ${result.kind} under SKIP in a batch that has all the time it takes`,
  );
}

/** An end without the fields that only some protocols need. */
export const plainEnd = (url: string, changes: Partial<End>): End => ({
  url,
  namespace: "",
  username: null,
  password: null,
  token: null,
  pace: createPace(),
  ...changes,
});
