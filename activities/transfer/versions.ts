import type { ArtifactOutcome, CopyHooks, CopyRules, UploadState } from "../../domain/outcome.ts";
import { TransferError } from "../../domain/failure.ts";
import type { StatedType, StatedVersion } from "../../domain/sync-versions.ts";
import type { InstanceClient } from "../registries/instance/client.ts";
import type { RemoteRepository } from "../registries/instance/send.ts";
import type { ContentSource } from "../store/source.ts";
import { pack, together } from "./settling.ts";
import { type Copy, guarded, settleTrouble, state, toItem, type Item } from "./versions-copy.ts";
import { sendNeeded } from "./versions-send.ts";

/** Of one request's JSON, in characters; a version that has more goes alone. */
const STATEMENT_LENGTH = 1024 * 1024;
const STATED_AT_ONCE = 100;
const STATEMENTS_AT_ONCE = 3;

export type CopyVersion = {
  stated: StatedVersion;
  mayHaveSent: boolean;
  /** Where an earlier attempt left the uploads of its contents. */
  uploads: UploadState[];
};

export type CopyVersions = {
  content: ContentSource;
  target: InstanceClient;
  /** Made by `ensureRepository` before. */
  remote: RemoteRepository;
  type: StatedType;
  rules: Pick<CopyRules, "conflictStrategy" | "includeMetadata">;
  versions: CopyVersion[];
  hooks: CopyHooks;
  /** Called once for each version, as soon as its fate is known; not at all for versions that a conflict under FAST_FAIL or an abort left undone. */
  report: (index: number, outcome: ArtifactOutcome) => void;
};

/**
 * Copies versions of Maven or npm packages to another instance: one question for many versions, small contents many at once, big ones
 * through resumable uploads. A trouble of one version or one request is an outcome of the versions it touches. Rejects only when the signal fires.
 */
export async function copyVersions(input: CopyVersions): Promise<void> {
  const items = input.versions.map(toItem);
  await guarded(input, items, async () => {
    const { limits, repositoryTypes, name } = await input.target.capabilities(input.hooks.signal);
    if (!repositoryTypes.includes(input.type)) {
      throw new TransferError("unsupported", `the instance ${name} at ${input.target.url} takes no ${input.type} repositories: bring it to this release`);
    }
    const copy: Copy = { ...input, limits, stopped: false, uploading: new Map() };
    const fitting = items.filter((item) => fits(copy, item));
    const needed: Item[] = [];
    await together(copy, pack(fitting, ({ length }) => [1, length], [STATED_AT_ONCE, STATEMENT_LENGTH]), STATEMENTS_AT_ONCE, async (group) => {
      needed.push(...(await guarded(copy, group, () => state(copy, group, new Map()))));
    });
    await sendNeeded(copy, needed);
    return [];
  });
}

function fits(copy: Copy, item: Item): boolean {
  const { files } = item.stated;
  const { versionFiles, versionBytes } = copy.limits;
  const problem =
    files.length > versionFiles
      ? `it has ${files.length} files; ${copy.target.url} takes at most ${versionFiles} of one version`
      : item.length > versionBytes - STATEMENT_RESERVE
        ? `what is to be told of its files and its document has ${item.length} bytes; ${copy.target.url} takes at most ${versionBytes}`
        : null;
  if (problem !== null) settleTrouble(copy, item, new TransferError("tooLarge", problem));
  return problem === null;
}

/** What a statement has around its versions. */
const STATEMENT_RESERVE = 1024;
