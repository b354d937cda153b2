import type { Digest } from "../../../domain/digest.ts";
import type { Blobs } from "./blobs.ts";
import type { Uploads, UploadSession } from "./uploads.ts";

export type SmallBlobs = {
  /**
   * Writes a blob that fits in memory, unless the repository `name` already has it. `read` is called only if
   * the bytes are needed.
   */
  putSmallBlob: (
    name: string,
    blob: SmallBlob,
    read: () => Promise<Buffer>,
    signal: AbortSignal,
  ) => Promise<"found" | "sent">;
};

type SmallBlob = { digest: Digest; size: number };

/**
 * Creates `putSmallBlob`, which asks for a blob and begins its upload in one request: a mount from the
 * repository itself is answered "mounted" if the blob exists there, else with an upload. Some registries ignore
 * `mount`, so this is tried once with a blob that certainly exists; before that, and where mounts are ignored,
 * HEAD is used.
 */
export function createSmallBlobs(registry: Blobs & Uploads): SmallBlobs {
  let mountsTell: boolean | null = null;

  async function begin(
    name: string,
    blob: SmallBlob,
    signal: AbortSignal,
  ): Promise<UploadSession | "mounted"> {
    if (mountsTell) return registry.startUpload(name, blob.digest, name, signal);
    const there = await registry.hasBlob(name, blob, signal);
    return there ? "mounted" : registry.startUpload(name, blob.digest, null, signal);
  }

  async function tryMount(
    name: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<void> {
    mountsTell = false;
    const answer = await registry
      .startUpload(name, digest, name, signal)
      .catch(() => null);
    mountsTell = answer === "mounted";
    if (answer !== null && answer !== "mounted")
      await registry.cancelUpload(name, answer);
  }

  return {
    async putSmallBlob(name, blob, read, signal) {
      const session = await begin(name, blob, signal);
      if (session === "mounted") return "found";
      const body = await read().catch(async (error: unknown) => {
        if (!signal.aborted) await registry.cancelUpload(name, session);
        throw error;
      });
      await registry.finishUpload(
        name,
        session,
        blob,
        { body, length: body.length },
        signal,
      );
      if (mountsTell === null) await tryMount(name, blob.digest, signal);
      return "sent";
    },
  };
}
