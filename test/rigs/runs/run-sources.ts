import { randomBytes } from "node:crypto";
import { makeBlob, makeImage, pushImage, type TestManifest } from "../servers/images.ts";
import { sha256, type Product } from "./run-fixture.ts";

/** `name:tag` → digest, or full path → sha256. */
export type Listing = Map<string, string>;

/** Calls `work` for all items, at most `atOnce` at a time. */
export async function each<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** Pushes `names` × `tags` small images; each has its own layer and one that all images of its name share. */
export async function fillRegistry(
  url: string,
  names: readonly string[],
  tags: number,
): Promise<Listing & { bytes: number }> {
  const listing: Listing = new Map();
  let bytes = 0;
  const images = names.flatMap((name) => {
    const base = makeBlob(2_000);
    return Array.from({ length: tags }, (_, tag) => ({
      name,
      tag: `v${tag + 1}`,
      image: makeImage({ layers: [base, 1_000] }),
    }));
  });
  await each(images, 16, async ({ name, tag, image }) => {
    await pushImage(url, name, tag, image);
    listing.set(`${name}:${tag}`, image.digest);
    bytes += bytesOf(image);
  });
  return Object.assign(listing, { bytes });
}

const bytesOf = (image: TestManifest): number =>
  image.bytes.length + image.blobs.reduce((sum, blob) => sum + blob.bytes.length, 0);

/** Uploads files of the given sizes into folders of a hosted repository. */
export async function fillRepository(
  product: Product,
  projectId: string,
  repoName: string,
  sizes: readonly number[],
): Promise<Listing & { bytes: number }> {
  const listing: Listing = new Map();
  let bytes = 0;
  await each([...sizes.entries()], 16, async ([at, size]) => {
    const path = `/folder ${at % 7}/sub/file-${String(at).padStart(4, "0")}.bin`;
    const content = randomBytes(size);
    await product.upload(projectId, repoName, encodeURI(path), content);
    listing.set(path, sha256(content));
    bytes += size;
  });
  return Object.assign(listing, { bytes });
}
