import { toTransferError } from "../../domain/failure.ts";
import { remoteRepository } from "../../domain/remote-names.ts";
import { createInstanceClient } from "../registries/instance/client.ts";
import type { ContentSource } from "../store/source.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { UploadState } from "../../domain/outcome.ts";
import type { OpenedEndpoint } from "./endpoint.ts";
import type { Sender } from "./line.ts";
import { failed, type Work } from "./work.ts";
import { troubleOutcome } from "./files-outcome.ts";
import { copyFiles, type CopyFile } from "./files.ts";

/** Files from this size on have a detail row while they are under way. */
const SHOWN_BYTES = 1024 ** 2;

/** Sends files of a hosted repository to another instance. */
export function createFileSender(content: ContentSource, end: OpenedEndpoint): Sender {
  const target = createInstanceClient(end);
  /** Repositories that are there for certain, and whether they had no file then. */
  const ensured = new Map<string, boolean>();

  async function send(work: Work): Promise<void> {
    const { object, projectId, setting } = work.batch;
    const remote = remoteRepository(object, projectId);
    const present = beginAll(work);
    if (present.length === 0) return;
    const name = `${remote.projectId}/${remote.repoName}`;
    try {
      if (!ensured.has(name) && setting.automaticCreateRemoteRepo) {
        const { empty } = await target.ensureRepository(remote, object.repoType, work.signal);
        ensured.set(name, empty);
      }
    } catch (error) {
      work.signal.throwIfAborted();
      for (const { artifact, file } of present) work.end(artifact, troubleOutcome(file.source, toTransferError(error), file.uploads, 0));
      return;
    }
    await copyFiles({
      content,
      target,
      remote,
      isEmpty: ensured.get(name) ?? false,
      type: object.repoType,
      rules: setting,
      files: present.map(({ file }) => file),
      hooks: batchHooks(work, present.map(({ artifact }) => artifact)),
      report: (index, outcome) => {
        const artifact = present[index]?.artifact;
        if (artifact) work.end(artifact, outcome);
      },
    });
  }
  return { send, close: () => void target.close() };
}

/** The files that are still there; what was deleted since the plan fails at once. Small files begin and end in one go. */
function beginAll(work: Work): { artifact: BatchArtifact; file: CopyFile }[] {
  const { projectId, object } = work.batch;
  return work.artifacts.flatMap((artifact) => {
    const file = toCopyFile(work, artifact);
    if (file && file.source.size > SHOWN_BYTES) work.begin(artifact);
    if (file) return [{ artifact, file }];
    work.end(artifact, failed(`${artifact.name} is no longer in ${projectId}/${object.localRepoName}: it was deleted after the run was planned`));
    return [];
  });
}

function toCopyFile(work: Work, artifact: BatchArtifact): CopyFile | null {
  const { name: fullPath, size, sha256, md5, metadata, createdBy, createdDate, lastModifiedBy, lastModifiedDate } = artifact;
  if (size === null || sha256 === null || createdBy === null || createdDate === null || lastModifiedBy === null || lastModifiedDate === null) return null;
  return {
    source: { fullPath, size, sha256, md5: md5 ?? "", metadata, createdBy, createdDate, lastModifiedBy, lastModifiedDate },
    mayHaveSent: work.rules(artifact).mayHaveSent,
    uploads: artifact.uploads,
  };
}

/** Uploads are told apart by digest; two files of one content share the upload. Live bytes are shown where one file is the batch. */
function batchHooks(work: Work, artifacts: BatchArtifact[]) {
  const [first] = artifacts;
  const hooks = artifacts.map((artifact) => ({ digest: `sha256:${artifact.sha256}`, ...work.hooks(artifact) }));
  const whole = first && work.hooks(first);
  return {
    signal: work.signal,
    slice: work.slice,
    throttle: async (bytes: number) => whole?.throttle(bytes) ?? bytes,
    onUpload: (state: UploadState) => hooks.filter(({ digest }) => digest === state.digest).forEach((hook) => hook.onUpload(state)),
    onBytes: (bytes: number) => {
      if (artifacts.length === 1) whole?.onBytes(bytes);
    },
  };
}
