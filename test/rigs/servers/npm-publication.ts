import { createHash } from "node:crypto";

const sha1 = (content: Uint8Array) => createHash("sha1").update(content).digest("hex");
export const integrity = (content: Uint8Array) =>
  `sha512-${createHash("sha512").update(content).digest("base64")}`;

export type Publishing = {
  document?: Record<string, unknown>;
  tag?: string;
  root?: Record<string, unknown>;
};

/** Returns the body that `npm publish` sends for a version. */
export function publication(
  name: string,
  version: string,
  tarball: Uint8Array,
  { document = {}, tag = "latest", root = {} }: Publishing = {},
) {
  return {
    _id: name,
    name,
    "dist-tags": { [tag]: version },
    versions: {
      [version]: {
        name,
        version,
        ...document,
        dist: {
          integrity: integrity(tarball),
          shasum: sha1(tarball),
          tarball: `http://elsewhere.example/${name}/-/${name.replace(/^.*\//, "")}-${version}.tgz`,
        },
      },
    },
    _attachments: {
      [`${name}-${version}.tgz`]: {
        content_type: "application/octet-stream",
        data: Buffer.from(tarball).toString("base64"),
        length: tarball.length,
      },
    },
    ...root,
  };
}

export const pathOf = (name: string) => `/${name.replace("/", "%2f")}`;
