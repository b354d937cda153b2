import type { Context } from "hono";
import { isImageName } from "../../../domain/reference.ts";
import type { Env } from "../../deps.ts";
import { OciError } from "./errors.ts";

type TargetKind =
  | "base"
  | "token"
  | "catalog"
  | "tags"
  | "manifest"
  | "blob"
  | "uploads"
  | "upload"
  | "referrers";

/**
 * What a request below `/v2` addresses. `name`: the whole name of the image; `reference`: a tag, a
 * digest or the id of an upload, depending on the kind.
 */
export type Target = { kind: TargetKind; name: string; reference: string };

/** Patterns of paths. They are matched from the end because image names contain slashes. */
const SHAPES: [TargetKind, RegExp][] = [
  ["uploads", /^(.+)\/blobs\/uploads\/?$/],
  ["upload", /^(.+)\/blobs\/uploads\/([^/]+)$/],
  ["manifest", /^(.+)\/manifests\/([^/]+)$/],
  ["blob", /^(.+)\/blobs\/([^/]+)$/],
  ["referrers", /^(.+)\/referrers\/([^/]+)$/],
  ["tags", /^(.+)\/tags\/list$/],
];

const FIXED: Record<string, TargetKind> = {
  "": "base",
  token: "token",
  _catalog: "catalog",
};

/**
 * Parses the target from the raw request line: a path that a URL parser has normalized must not
 * decide about permissions. Throws 404 for an unknown path, 400 for an invalid name.
 */
export function targetOf(c: Context<Env>): Target {
  const line = c.env?.incoming?.url ?? new URL(c.req.url).pathname;
  const [path = ""] = line.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1);
  const rest = path.replace(/^\/v2(?:\/|$)/, "");
  const fixed = Object.hasOwn(FIXED, rest) ? FIXED[rest] : undefined;
  if (fixed !== undefined && path !== rest)
    return { kind: fixed, name: "", reference: "" };
  for (const [kind, shape] of SHAPES) {
    const [, name, reference = ""] = shape.exec(rest) ?? [];
    if (name !== undefined)
      return { kind, name: checkName(name), reference: decoded(reference) };
  }
  throw new OciError(
    404,
    "UNSUPPORTED",
    "there is nothing at this path: see distribution-spec 1.1 for the paths of a registry",
  );
}

function checkName(name: string): string {
  if (isImageName(name)) return name;
  throw new OciError(
    400,
    "NAME_INVALID",
    `${JSON.stringify(name.slice(0, 100))} is not a valid name of an image: ` +
      "use lower-case letters, digits and . _ -, as in project/repository/image, at most 255 characters",
  );
}

function decoded(reference: string): string {
  try {
    return decodeURIComponent(reference);
  } catch {
    return reference;
  }
}
