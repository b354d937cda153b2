import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import pLimit from "p-limit";
import { expect } from "vitest";
import { layout } from "../../../activities/store/layout.ts";
import { getNode } from "../../../db/content/nodes.ts";
import { findRepository } from "../../../db/content/repositories.ts";
import { sha256 } from "../api/content-fixture.ts";
import {
  clientOf,
  copy,
  createSource,
  REMOTE,
  type SourceFile,
  startInstance,
} from "./instance-fixture.ts";

export type FileSender = Awaited<ReturnType<typeof startFileSender>>;

/** Starts a local store and another instance with a generic repository. */
export async function startFileSender() {
  const source = createSource();
  const target = await startInstance();
  const client = clientOf(target.url);
  await client.ensureRepository(REMOTE, "GENERIC");
  await client.capabilities();
  target.requests.length = 0;

  return {
    source,
    target,
    async stop(): Promise<void> {
      await client.close();
      await target.stop();
      target.remove();
      await source.close();
    },
    run: (files: SourceFile[], options: Partial<Parameters<typeof copy>[1]> = {}) =>
      copy(files, { content: source.source, target: client, ...options }),
    /** Adds files of these sizes to the local store. */
    seed: (sizes: number[], folder = "/a b/ü"): Promise<SourceFile[]> =>
      source.addAll(
        sizes.map((size, i) => ({
          fullPath: `${folder}/${i}.bin`,
          bytes: randomBytes(size),
          metadata: { number: String(i) },
        })),
      ),
    /** Downloads the files through the public API of the target and compares them. */
    async expectCopies(files: SourceFile[]): Promise<void> {
      const limit = pLimit(16);
      const found = await Promise.all(
        files.map(({ fullPath }) =>
          limit(async () => sha256((await target.fetchFile(fullPath)) ?? "missing")),
        ),
      );
      expect(found).toEqual(files.map((file) => file.sha256));
    },
    nodeAt(path: string) {
      const repository = findRepository(target.db, REMOTE.projectId, REMOTE.repoName);
      return getNode(target.db, repository?.id ?? 0, path, Date.now());
    },
    uploadsLeft: (): string[] => readdirSync(layout(target.dataDir).staging),
  };
}
