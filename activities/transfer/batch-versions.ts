import { toTransferError, TransferError } from "../../domain/failure.ts";
import { remoteRepository } from "../../domain/remote-names.ts";
import type { CopyHooks, UploadState } from "../../domain/outcome.ts";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import { STATED_TYPES, type SourceVersion, type StatedType } from "../../domain/sync-versions.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import { createInstanceClient } from "../registries/instance/client.ts";
import type { RemoteRepository } from "../registries/instance/send.ts";
import { createFileSender } from "./batch-files.ts";
import type { OpenedEndpoint } from "./endpoint.ts";
import type { Sender } from "./line.ts";
import { copyVersions, type CopyVersion } from "./versions.ts";
import { earlyOutcome } from "./trouble.ts";
import { type BatchDeps, failed, whenReachable, type Work } from "./work.ts";

/** What the control plane is asked for at once; it may answer fewer. */
const ASKED_AT_ONCE = 100;
/** Versions from this size on have a detail row while they are under way. */
const SHOWN_BYTES = 1024 ** 2;

export const isStatedType = (type: RepositoryType): type is StatedType => STATED_TYPES.some((known) => known === type);

type Deps = Pick<BatchDeps, "content" | "controlPlane">;
type Present = { artifact: BatchArtifact; version: CopyVersion };

/** Sends versions of a hosted MAVEN or NPM repository to another instance, and Maven's files that belong to no version. */
export function createVersionSender({ content, controlPlane }: Deps, end: OpenedEndpoint, type: StatedType): Sender {
  const target = createInstanceClient(end);
  const files = createFileSender(content, end);
  /** Repositories that are there for certain. */
  const ensured = new Set<string>();

  async function ensure(remote: RemoteRepository, work: Work): Promise<void> {
    const name = `${remote.projectId}/${remote.repoName}`;
    if (!ensured.has(name) && work.batch.setting.automaticCreateRemoteRepo) await target.ensureRepository(remote, type, work.signal);
    ensured.add(name);
  }

  async function sendPage(work: Work, remote: RemoteRepository, present: Present[]): Promise<void> {
    await copyVersions({
      content,
      target,
      remote,
      type,
      rules: work.batch.setting,
      versions: present.map(({ version }) => version),
      hooks: batchHooks(work, present),
      report: (index, outcome) => {
        const artifact = present[index]?.artifact;
        if (artifact) work.end(artifact, outcome);
      },
    });
  }

  async function sendVersions(work: Work, artifacts: BatchArtifact[], isStopped: () => boolean): Promise<void> {
    const { object, projectId, source } = work.batch;
    const remote = remoteRepository(object, projectId);
    // The first go however little time is left, so that every batch gets on.
    for (let rest = artifacts; rest.length > 0 && !isStopped() && (rest === artifacts || !work.slice.isOver()); ) {
      const asked = rest.slice(0, ASKED_AT_ONCE);
      const keys = asked.map(({ name, version }) => ({ name, version }));
      const told = await whenReachable({ signal: work.signal, heartbeat: () => {} }, () => controlPlane.versions(source.repositoryId, keys));
      if (told.length === 0) throw new TransferError("invalid", "the control plane tells nothing of the versions it was asked for");
      const present = beginAll(work, asked, told);
      rest = rest.slice(told.length);
      if (present.length === 0) continue;
      try {
        await ensure(remote, work);
      } catch (error) {
        work.signal.throwIfAborted();
        for (const artifact of [...present.map((each) => each.artifact), ...rest]) work.end(artifact, earlyOutcome(artifact, `${artifact.name} ${artifact.version}`, toTransferError(error)));
        return;
      }
      await sendPage(work, remote, present);
    }
  }

  async function send(work: Work): Promise<void> {
    let stopped = false;
    const end: Work["end"] = (artifact, outcome) => {
      stopped ||= outcome.result.kind === "failed" && outcome.result.stopsCluster;
      work.end(artifact, outcome);
    };
    const loose = work.artifacts.filter(({ version }) => version === "");
    if (loose.length > 0) await files.send({ ...work, artifacts: loose, end });
    const versions = work.artifacts.filter(({ version }) => version !== "");
    await sendVersions({ ...work, end }, versions, () => stopped);
  }

  return {
    send,
    close: () => {
      files.close();
      void target.close();
    },
  };
}

/** The versions that are still there; what was deleted since the plan fails at once. Small versions begin and end in one go. */
function beginAll(work: Work, asked: BatchArtifact[], told: SourceVersion[]): Present[] {
  const { projectId, object } = work.batch;
  return told.flatMap((source, at) => {
    const artifact = asked[at];
    if (!artifact) return [];
    const name = `${artifact.name} ${artifact.version}`;
    if (source.kind === "gone") work.end(artifact, failed(`${name} is no longer in ${projectId}/${object.localRepoName}: it was deleted after the run was planned`));
    if (source.kind === "tooMany") work.end(artifact, failed(`${name} has ${source.files} files, more than one version can be sent with (${SYNC_LIMITS.versionFiles})`));
    if (source.kind !== "found") return [];
    if (source.version.files.some(({ size }) => size > SHOWN_BYTES)) work.begin(artifact);
    return [{ artifact, version: { stated: source.version, mayHaveSent: work.rules(artifact).mayHaveSent, uploads: artifact.uploads } }];
  });
}

/** Uploads are told apart by digest; versions that share a content share its upload. Live bytes are shown where one version is the batch. */
function batchHooks(work: Work, present: Present[]): CopyHooks {
  const [first] = present;
  const whole = first && work.hooks(first.artifact);
  const sharing = ({ digest }: UploadState) => present.filter(({ version }) => version.stated.files.some(({ sha256 }) => `sha256:${sha256}` === digest));
  return {
    signal: work.signal,
    slice: work.slice,
    throttle: async (bytes) => whole?.throttle(bytes) ?? bytes,
    onUpload: (state) => sharing(state).forEach(({ artifact }) => work.hooks(artifact).onUpload(state)),
    onBytes: (bytes) => {
      if (present.length === 1) whole?.onBytes(bytes);
    },
  };
}
