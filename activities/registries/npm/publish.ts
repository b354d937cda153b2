import type { Artifact, Part } from "../../../domain/artifact.ts";
import { TransferError } from "../../../domain/failure.ts";
import { tarballFile } from "../../../domain/npm/package.ts";
import type { Content } from "../contract.ts";
import { encodeName, type NpmRegistry, tarballAddress } from "./registry.ts";

/** base64 encodes groups of this many bytes without padding. */
const GROUP = 3;

/**
 * Publishes one version with libnpmpublish's request: the document and the tarball in base64, streamed. The
 * request names no dist-tag, since a publication moves the tags that it names. Throws `immutable` when the
 * registry answers 409: the version is already published.
 */
export async function publish(
  registry: NpmRegistry,
  artifact: Artifact,
  tarball: Part,
  content: Content,
): Promise<void> {
  const { name, version } = artifact;
  const [head, tail] = bodyAround(registry, artifact);
  const { size, bytes } = await content.open(tarball, {
    encode: (tarballBytes) => wrapped(head, tarballBytes, tail),
  });
  const length =
    size === null
      ? {}
      : {
          "content-length": String(
            head.length + Math.ceil(size / GROUP) * 4 + tail(size).length,
          ),
        };
  const answer = await registry.ask(encodeName(name), {
    method: "PUT",
    what: `${name}@${version}`,
    headers: { "content-type": "application/json", ...length },
    body: bytes,
    accept: [409],
    signal: content.signal,
    ...(size === null ? {} : { storedBytes: size }),
  });
  if (answer.status === 409)
    throw new TransferError("immutable", (await answer.failure()).message);
  await answer.discard();
}

/**
 * Builds the body of a publication before the tarball and after it; the part after it contains the tarball's length.
 */
function bodyAround(
  { base }: NpmRegistry,
  { name, version, document }: Artifact,
): [Buffer, (length: number) => Buffer] {
  const file = tarballFile(name, version);
  const dist = {
    ...(document?.["dist"] as object | undefined),
    tarball: `${base}/${tarballAddress(name, version)}`,
  };
  const published = { ...document, name, version, _id: `${name}@${version}`, dist };
  const about = {
    _id: name,
    name,
    "dist-tags": {},
    versions: { [version]: published },
    access: null,
  };
  const attachment = `${JSON.stringify(file)}:{"content_type":"application/octet-stream","data":"`;
  const opening = `${JSON.stringify(about).slice(0, -1)},"_attachments":{${attachment}`;
  return [Buffer.from(opening), (length) => Buffer.from(`","length":${length}}}}`)];
}

/** Begins with the tarball before it yields `head`: a request that fails at once then closes the tarball. */
async function* wrapped(
  head: Buffer,
  tarball: AsyncIterable<Uint8Array>,
  tail: (length: number) => Buffer,
): AsyncGenerator<Uint8Array, void> {
  let rest = Buffer.alloc(0);
  let length = 0;
  let headed = false;
  for await (const chunk of tarball) {
    if (!headed) yield head;
    headed = true;
    length += chunk.length;
    const bytes =
      rest.length > 0
        ? Buffer.concat([rest, chunk])
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const whole = bytes.length - (bytes.length % GROUP);
    rest = Buffer.from(bytes.subarray(whole));
    if (whole > 0) yield Buffer.from(bytes.toString("base64", 0, whole), "latin1");
  }
  if (!headed) yield head;
  yield Buffer.concat([Buffer.from(rest.toString("base64"), "latin1"), tail(length)]);
}
