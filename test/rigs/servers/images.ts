import { createHash, randomBytes } from "node:crypto";

/**
 * A blob of an image for tests. Such images are pushed by plain HTTP, so that no code under test
 * prepares its own test.
 */
export type TestBlob = { digest: string; bytes: Buffer; mediaType: string };
export type TestManifest = {
  digest: string;
  mediaType: string;
  bytes: Buffer;
  blobs: TestBlob[];
  children: TestManifest[];
};

const TYPES = {
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    index: "application/vnd.oci.image.index.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  },
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
};

export const ALL_TYPES = [
  TYPES.oci.manifest,
  TYPES.oci.index,
  TYPES.docker.manifest,
  TYPES.docker.index,
].join(", ");

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function makeBlob(
  content: number | Buffer | string,
  mediaType: string = TYPES.oci.layer,
): TestBlob {
  const bytes = typeof content === "number" ? randomBytes(content) : Buffer.from(content);
  return { digest: sha256(bytes), bytes, mediaType };
}

type ImageOptions = {
  format?: "oci" | "docker";
  architecture?: string;
  /** Each entry is the size of a layer of random bytes, or a blob (for bases that images share). */
  layers?: (number | TestBlob)[];
  subject?: TestManifest;
  artifactType?: string;
  annotations?: Record<string, string>;
  /** Descriptors for the manifest's layers that have no blob. */
  foreign?: Record<string, unknown>[];
};

export function makeImage(options: ImageOptions = {}): TestManifest {
  const {
    format = "oci",
    architecture = "amd64",
    layers = [1_000],
    subject,
    artifactType,
    annotations,
    foreign = [],
  } = options;
  const types = TYPES[format];
  const blobs = layers.map((layer) => {
    if (typeof layer === "number") return makeBlob(layer, types.layer);
    return layer.mediaType === TYPES.oci.layer
      ? { ...layer, mediaType: types.layer }
      : layer;
  });
  const rootfs = { type: "layers", diff_ids: blobs.map(({ digest }) => digest) };
  const history = [{ comment: randomBytes(8).toString("hex") }];
  const config = makeBlob(
    JSON.stringify({ architecture, os: "linux", rootfs, history }),
    types.config,
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    ...(artifactType === undefined ? {} : { artifactType }),
    config: descriptor(config),
    layers: [...blobs.map(descriptor), ...foreign],
    ...(subject === undefined ? {} : { subject: descriptor(subject) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return toManifest(manifest, types.manifest, [config, ...blobs], []);
}

/** Builds a signature as cosign stores it under a tag beside an image: one layer with its own media type. */
export function makeSignature(
  text: string = randomBytes(8).toString("hex"),
): TestManifest {
  return makeImage({
    layers: [makeBlob(text, "application/vnd.dev.cosign.simplesigning.v1+json")],
  });
}

export function makeIndex(
  children: TestManifest[],
  format: "oci" | "docker" = "oci",
): TestManifest {
  const manifests = children.map((child) => {
    const config = child.blobs[0];
    if (config === undefined) return descriptor(child);
    const { architecture, os } = JSON.parse(config.bytes.toString()) as {
      architecture: string;
      os: string;
    };
    return { ...descriptor(child), platform: { architecture, os } };
  });
  return toManifest(
    { schemaVersion: 2, mediaType: TYPES[format].index, manifests },
    TYPES[format].index,
    [],
    children,
  );
}

function toManifest(
  json: object,
  mediaType: string,
  blobs: TestBlob[],
  children: TestManifest[],
): TestManifest {
  const bytes = Buffer.from(JSON.stringify(json, null, 1));
  return { digest: sha256(bytes), mediaType, bytes, blobs, children };
}

/** Returns the image with a changed manifest, and so with another digest. */
export function rewrite(
  image: TestManifest,
  change: (json: Record<string, unknown>) => object,
): TestManifest {
  const json = JSON.parse(image.bytes.toString()) as Record<string, unknown>;
  return toManifest(change(json), image.mediaType, image.blobs, image.children);
}

export function descriptor({ mediaType, digest, bytes }: TestBlob | TestManifest): {
  mediaType: string;
  digest: string;
  size: number;
} {
  return { mediaType, digest, size: bytes.length };
}

type PushOptions = { authorization?: string; without?: string[] };

/** Pushes an image with everything below it; `tag` null: by digest only; `without`: digests that are left out. */
export async function pushImage(
  url: string,
  name: string,
  tag: string | null,
  image: TestManifest,
  options: PushOptions = {},
): Promise<void> {
  for (const child of image.children)
    if (!options.without?.includes(child.digest))
      await pushImage(url, name, null, child, options);
  for (const blob of image.blobs)
    if (!options.without?.includes(blob.digest)) await pushBlob(url, name, blob, options);
  await pushManifest(url, name, tag ?? image.digest, image, options);
}

export async function pushManifest(
  url: string,
  name: string,
  reference: string,
  { mediaType, bytes }: TestManifest,
  options: PushOptions = {},
): Promise<void> {
  await send("PUT", `${url}/v2/${name}/manifests/${reference}`, bytes, {
    "content-type": mediaType,
    ...login(options),
  });
}

export async function pushBlob(
  url: string,
  name: string,
  { digest, bytes }: TestBlob,
  options: PushOptions = {},
): Promise<void> {
  const head = await fetch(`${url}/v2/${name}/blobs/${digest}`, {
    method: "HEAD",
    headers: login(options),
  });
  if (head.ok) return;
  const begun = await send(
    "POST",
    `${url}/v2/${name}/blobs/uploads/`,
    undefined,
    login(options),
  );
  const location = new URL(begun.headers.get("location") ?? "", url);
  location.searchParams.set("digest", digest);
  await send("PUT", location.href, bytes, {
    "content-type": "application/octet-stream",
    ...login(options),
  });
}

async function send(
  method: string,
  url: string,
  body: Buffer | undefined,
  headers: Record<string, string>,
): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return response;
}

function login({ authorization }: PushOptions): Record<string, string> {
  return authorization === undefined ? {} : { authorization };
}

/** Reads a manifest from a registry by plain HTTP; null when the registry does not have it. */
export async function readManifest(
  url: string,
  name: string,
  reference: string,
  options: PushOptions = {},
): Promise<{ bytes: Buffer; digest: string } | null> {
  const response = await fetch(`${url}/v2/${name}/manifests/${reference}`, {
    headers: { accept: ALL_TYPES, ...login(options) },
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status === 404) return null;
  if (!response.ok)
    throw new Error(`${name}:${reference}: ${response.status} ${bytes.toString()}`);
  return { bytes, digest: sha256(bytes) };
}

/**
 * Returns the digests of an image (manifests, children, blobs) that a registry does not have or has with other bytes.
 */
export async function missingParts(
  url: string,
  name: string,
  image: TestManifest,
  options: PushOptions = {},
): Promise<string[]> {
  const missing: string[] = [];
  if ((await readManifest(url, name, image.digest, options))?.digest !== image.digest)
    missing.push(image.digest);
  for (const { digest } of image.blobs) {
    const response = await fetch(`${url}/v2/${name}/blobs/${digest}`, {
      headers: login(options),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (!response.ok || sha256(bytes) !== digest) missing.push(digest);
  }
  for (const child of image.children)
    missing.push(...(await missingParts(url, name, child, options)));
  return missing;
}
