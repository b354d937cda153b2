import { each } from "../rigs/runs/run-sources.ts";
import {
  makeBlob,
  makeImage,
  pushBlob,
  pushImage,
  type TestManifest,
} from "../rigs/servers/images.ts";

const LAYER = 16 * 1024;
const BASES = 5;

/**
 * Pushes images like those of one service: three layers of 16 KiB, two of which are a base that several
 * images share.
 */
export async function fillRegistry(
  url: string,
  name: string,
  count: number,
): Promise<void> {
  const bases = Array.from({ length: BASES }, () => [makeBlob(LAYER), makeBlob(LAYER)]);
  for (const blob of bases.flat()) await pushBlob(url, name, blob);
  const tags = Array.from({ length: count }, (_, at) => ({
    tag: `v${at + 1}`,
    base: bases[at % BASES] ?? [],
  }));
  await each(tags, 16, ({ tag, base }) =>
    pushImage(url, name, tag, makeImage({ layers: [...base, LAYER] })),
  );
}

/** Pushes one image with `layers` layers of `size` bytes. */
export async function pushBigImage(
  url: string,
  name: string,
  layers: number,
  size: number,
): Promise<TestManifest> {
  const image = makeImage({ layers: Array.from({ length: layers }, () => size) });
  await pushImage(url, name, "latest", image);
  return image;
}
