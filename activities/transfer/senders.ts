import { targetTags } from "../../domain/image/objects.ts";
import { toTransferError } from "../../domain/failure.ts";
import { strongest } from "../../domain/artifact.ts";
import type { CopyHooks, UploadState } from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type {
  Copier,
  PartsTarget,
  SettlingTarget,
  Source,
} from "../registries/contract.ts";
import { copyEach } from "./each.ts";
import { earlyOutcome, goneOutcome } from "./early.ts";
import { eachPage, type Present } from "./pages.ts";
import { copyParts } from "./parts.ts";
import type { Batch, Send, Work } from "./work.ts";

/**
 * At another instance, an artifact with a part larger than this (bytes), or of unknown size, gets a detail
 * row while it is being sent; any other is reported once, at its end.
 */
const SHOWN_BYTES = 1024 ** 2;

type Ends<T> = { sourceOf: (batch: Batch) => Source; target: T };

/** Sends to a target that receives many artifacts at once and decides on its own what it lacks. */
export function settleAll({ sourceOf, target }: Ends<SettlingTarget>): Send {
  return async (work) => {
    const source = sourceOf(work.batch);
    const prepare = (signal: AbortSignal) => target.prepare(creation(work.batch), signal);
    await eachPage(work, source, {
      prepare,
      send: (page, present) => settlePage(page, source, target, present),
    });
  };
}

async function settlePage(
  work: Work,
  source: Source,
  target: SettlingTarget,
  present: Present[],
): Promise<void> {
  for (const { planned, artifact } of present) {
    if (artifact.parts.some(({ size }) => size === null || size > SHOWN_BYTES))
      work.begin(planned);
  }
  await target.settle({
    artifacts: present.map(({ planned, artifact }) => ({
      artifact,
      mayHaveSent: work.rules(planned).mayHaveSent,
      uploads: planned.uploads,
    })),
    rules: work.batch.setting,
    source,
    hooks: pageHooks(work, present),
    report(at, outcome) {
      const planned = present[at]?.planned;
      if (planned) work.end(planned, outcome);
    },
  });
}

/**
 * Combines the hooks of a page's artifacts. Artifacts with the same content share its upload, which is
 * identified by digest. Progress in bytes is reported only when the page is one artifact.
 */
function pageHooks(work: Work, present: Present[]): CopyHooks {
  const [first] = present;
  const whole = first && work.hooks(first.planned);
  const sharing = ({ digest }: UploadState) =>
    present.filter(({ artifact }) =>
      artifact.parts.some(({ digests }) => strongest(digests) === digest),
    );
  return {
    signal: work.signal,
    slice: work.slice,
    throttle: async (bytes) => whole?.throttle(bytes) ?? bytes,
    onUpload: (state) =>
      sharing(state).forEach(({ planned }) => work.hooks(planned).onUpload(state)),
    onBytes(bytes) {
      if (present.length === 1) whole?.onBytes(bytes);
    },
  };
}

type PartsEnds = Ends<PartsTarget> & {
  at: string;
  mayRead: (bytes: number) => Promise<boolean>;
};

/** Sends to a target that receives artifacts part by part. */
export function sendParts({ sourceOf, target, at, mayRead }: PartsEnds): Send {
  return async (work) => {
    const source = sourceOf(work.batch);
    const sendPage = (page: Work, present: Present[]) =>
      copyEach(
        page,
        present.map(({ planned }) => planned),
        (planned, index) =>
          copyParts({
            artifact: (present[index] as Present).artifact,
            source,
            target,
            at,
            rules: { ...work.batch.setting, ...work.rules(planned) },
            hooks: work.hooks(planned),
            uploads: planned.uploads,
            mayRead,
          }),
      );
    await eachPage(work, source, { prepare: async () => {}, send: sendPage });
  };
}

/**
 * The copier of two ends, and what it needs to know about them. `prepare`: runs before the first image of a
 * batch is copied. `hosted`: the source is this instance itself, which knows the digests, and whose images
 * may change while a run is in progress.
 */
type CopierEnds = {
  copier: Copier;
  prepare: SettlingTarget["prepare"] | undefined;
  hosted: boolean;
};

/** Sends between two ends whose protocol has a copier of its own. */
export function copyAll({ copier, prepare, hosted }: CopierEnds): Send {
  return async (work) => {
    const { batch, signal } = work;
    const artifacts = hosted ? endGone(work) : work.artifacts;
    if (artifacts.length === 0) return;
    const failure =
      (await prepare?.(creation(batch), signal).then(() => undefined, toTransferError)) ??
      null;
    signal.throwIfAborted();
    if (failure)
      return artifacts.forEach((artifact) =>
        work.end(artifact, earlyOutcome(artifact, failure, imageName(artifact))),
      );
    if (hosted) copier.sourceChanged?.();
    await copyEach(work, artifacts, async (artifact) => {
      const { name, version, digest, uploads, plannedSize } = artifact;
      const targetVersions = targetTags(batch.object.packageConstraints, name);
      const copied = await copier.copy({
        name,
        version,
        digest,
        targetVersions,
        rules: work.rules(artifact),
        hooks: work.hooks(artifact),
        uploads,
      });
      // The outcome gets the size in the plan if there is one, because the plan's totals already
      // include that size.
      return { ...copied, size: plannedSize ?? copied.size };
    });
  };
}

const creation = ({ setting }: Batch) => ({ create: setting.automaticCreateRemoteRepo });

const imageName = ({ name, version }: BatchArtifact): string => `${name}:${version}`;

/** Ends those images of a batch whose tag was deleted since the plan, and returns the other artifacts. */
function endGone({ artifacts, batch, end }: Work): BatchArtifact[] {
  return artifacts.filter((artifact) => {
    if (artifact.digest !== null) return true;
    end(artifact, goneOutcome(batch, artifact, `image ${imageName(artifact)}`));
    return false;
  });
}
