import { expect, test } from "vitest";
import { isForeign, parseObject, readContent } from "../../domain/image/manifest.ts";
import { OCI_MANIFEST } from "../../domain/image/media-types.ts";
import { readManifest } from "../../domain/image/push.ts";

const URLS = ["https://example.com/layer"];

test.each([
  {
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    urls: URLS,
    is: "is",
    foreign: true,
  },
  {
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar",
    urls: URLS,
    is: "is",
    foreign: true,
  },
  {
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
    urls: URLS,
    is: "is",
    foreign: true,
  },
  {
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    urls: URLS,
    is: "is",
    foreign: true,
  },
  {
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    urls: [],
    is: "is not",
    foreign: false,
  },
  {
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    urls: null,
    is: "is not",
    foreign: false,
  },
  {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    urls: URLS,
    is: "is not",
    foreign: false,
  },
])(
  "a layer $mediaType with urls $urls $is foreign for the copier and for the server",
  ({ is: _is, foreign, ...described }) => {
    const layer = { ...described, digest: `sha256:${"a".repeat(64)}`, size: 5 };
    const config = {
      mediaType: "application/vnd.oci.empty.v1+json",
      digest: `sha256:${"b".repeat(64)}`,
      size: 2,
    };
    const document = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config,
      layers: [layer],
    };
    const bytes = Buffer.from(JSON.stringify(document));
    const copied = readContent(parseObject(bytes), OCI_MANIFEST).blobs.filter(
      (blob) => !isForeign(blob),
    );
    const required = readManifest(bytes, OCI_MANIFEST).parts.filter(
      (part) => !part.foreign,
    );
    expect(copied.map(({ digest }) => digest)).toEqual(
      required.map(({ digest }) => digest),
    );
    expect(copied.some(({ digest }) => digest === layer.digest)).toBe(!foreign);
  },
);
