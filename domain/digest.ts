/**
 * A content digest in the form of the OCI image specification, `algorithm:hex`; validated, so it is safe inside a URL.
 */
export type Digest = `sha256:${string}` | `sha512:${string}`;

const SHAPE = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && SHAPE.test(text);
}

export function digestParts(digest: Digest): {
  algorithm: "sha256" | "sha512";
  hex: string;
} {
  return {
    algorithm: digest.startsWith("sha256:") ? "sha256" : "sha512",
    hex: digest.slice("sha256:".length),
  };
}
