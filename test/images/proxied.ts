import type { ArtifactOutcome } from "../../domain/outcome.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";
import type { TestManifest } from "../rigs/servers/images.ts";
import { copy, openEnds, type CopyOptions } from "../rigs/transfer/image-fixture.ts";

/** Starts two registries, each behind a proxy (`here`, `there`) that can break what passes through it. */
export async function startProxied() {
  const source = await startRegistry("docker-registry");
  const target = await startRegistry("docker-registry");
  const here = await startProxy(source.url);
  const there = await startProxy(target.url);
  const fresh = () => openEnds(here.url, there.url);
  return {
    source,
    target,
    here,
    there,
    /** Opens both ends anew, so that nothing is remembered of earlier copies. */
    fresh,
    /** Copies one image between ends that are opened for it. */
    async run(
      name: string,
      options: Partial<CopyOptions> = {},
    ): Promise<ArtifactOutcome> {
      const ends = fresh();
      try {
        return await copy({ ...ends, name, ...options });
      } finally {
        await ends.close();
      }
    },
    heal(): void {
      here.fault = () => null;
      there.fault = () => null;
    },
    stop: () => Promise.all([here.stop(), there.stop(), source.stop(), target.stop()]),
  };
}

export const reasonOf = ({ result }: ArtifactOutcome): string =>
  "reason" in result ? result.reason : "";

export const descriptorOf = ({
  mediaType,
  digest,
  bytes,
}: Pick<TestManifest, "mediaType" | "digest" | "bytes">) => ({
  mediaType,
  digest,
  size: bytes.length,
});
