import type { RepositoryType } from "../../../domain/vocabulary.ts";
import type { Closing, Connector, End, SettlingTarget } from "../contract.ts";
import { check } from "./check.ts";
import { createInstanceClient } from "./client.ts";
import type { RemoteRepository } from "./send.ts";
import { settleBatch } from "./settle/settle.ts";

/**
 * The connector of another instance of this product (docs/instance-protocol.md). Images are pushed to the registry of
 * that instance instead.
 */
export const instance = { target: openTarget, check } as const satisfies Connector;

function openTarget(end: End, type: RepositoryType): SettlingTarget & Closing {
  const client = createInstanceClient(end);
  const remote = repositoryOf(end);
  /** Whether the repository had no file when `prepare` first looked at it; undefined as long as it has not looked. */
  let empty: boolean | undefined;
  return {
    async prepare({ create }, signal) {
      if (create && empty === undefined)
        empty = (await client.ensureRepository(remote, type, signal)).empty;
    },
    settle: (batch) =>
      settleBatch(batch, { client, remote, type, isEmpty: empty ?? false }),
    close: client.close,
  };
}

/** Splits the namespace of an end, `project/repository`. */
function repositoryOf({ namespace }: End): RemoteRepository {
  const [projectId = "", repoName = ""] = namespace.split("/");
  return { projectId, repoName };
}
