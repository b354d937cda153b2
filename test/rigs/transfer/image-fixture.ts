import {
  copyImage,
  type CopyImage,
} from "../../../activities/registries/oci/copy/image.ts";
import {
  createImageMemory,
  type ImageMemory,
} from "../../../activities/registries/oci/copy/memory.ts";
import {
  createOciRegistry,
  type OciRegistry,
  type OciRegistryOptions,
} from "../../../activities/registries/oci/registry.ts";
import type {
  ArtifactOutcome,
  CopyHooks,
  CopyRules,
  UploadState,
} from "../../../domain/outcome.ts";
import { quietHooks } from "./instance-fixture.ts";

/** The input that the transfer engine gives one image copy; every rule and hook can be set. */
export type CopyOptions = Partial<
  Omit<CopyImage, "source" | "target" | "rules" | "hooks">
> & {
  from: OciRegistry;
  to: OciRegistry;
  name: string;
  targetName?: string;
  rules?: Partial<CopyRules>;
  signal?: AbortSignal;
  throttle?: CopyHooks["throttle"];
  slice?: CopyHooks["slice"];
  onUpload?: (state: UploadState) => void;
};

export function copy({
  from,
  to,
  name,
  targetName = name,
  rules,
  signal,
  throttle,
  slice,
  onUpload,
  ...rest
}: CopyOptions): Promise<ArtifactOutcome> {
  return copyImage({
    source: { registry: from, name },
    target: { registry: to, name: targetName },
    tag: "latest",
    resume: [],
    memory: createImageMemory(),
    ...rest,
    rules: {
      conflictStrategy: "SKIP",
      includeMetadata: true,
      mayHaveSent: false,
      ...rules,
    },
    hooks: quietHooks({
      ...(signal && { signal }),
      ...(throttle && { throttle }),
      ...(slice && { slice }),
      ...(onUpload && { onUpload }),
    }),
  });
}

/** Opens both ends of copies; `close` closes both. */
export function openEnds(
  source: string | OciRegistryOptions,
  target: string | OciRegistryOptions,
): {
  from: OciRegistry;
  to: OciRegistry;
  memory: ImageMemory;
  close: () => Promise<void>;
} {
  const from = createOciRegistry(typeof source === "string" ? { url: source } : source);
  const to = createOciRegistry({
    ...(typeof target === "string" ? { url: target } : target),
    pushes: true,
  });
  return {
    from,
    to,
    memory: createImageMemory(),
    async close() {
      await from.close();
      await to.close();
    },
  };
}
