import { digestParts, isDigest, type Digest } from "./digest.ts";
import { hasCredentials, hasQuery, isHttp, readUrl } from "./http-url.ts";

/** Repository names of distribution-spec 1.1 ("Pulling manifests"), without the registry's host. */
const NAME =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const ATTACHED = /^(sha256)-([0-9a-f]{64})(?:\.(sig|att|sbom))?$/;

export function isImageName(text: string): boolean {
  return text.length > 0 && text.length <= 255 && NAME.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/**
 * Returns the tag under which a registry without the referrers API keeps the list of artifacts attached to
 * `digest` (distribution-spec 1.1, "Referrers Tag Schema": at most 64 characters of the hash).
 */
export function fallbackTag(digest: Digest): string {
  const { algorithm, hex } = digestParts(digest);
  return `${algorithm}-${hex.slice(0, 64)}`;
}

/**
 * Returns the digest (sha256) to which a tag is attached: by the fallback tag of the referrers API
 * (`suffix` null) or by one of cosign's tags (`sig`, `att`, `sbom`). Null for every other tag.
 */
export function attachedTo(
  tag: string,
): { subject: Digest; suffix: string | null } | null {
  const [, algorithm, hex, suffix] = ATTACHED.exec(tag) ?? [];
  const subject = `${algorithm}:${hex}`;
  return isDigest(subject) ? { subject, suffix: suffix ?? null } : null;
}

/**
 * A registry's address. `origin`: scheme, host and port of its API; `namespace`: the path in front of every
 * image name ("" or "a/b"); `base` ("" or "/a"), only of an instance of this product: the path before `/v2`
 * of its API. Addresses in an instance's answers count as paths below `base` at `origin`.
 */
export type RegistryAddress = { origin: string; namespace: string; base?: string };

/**
 * Parses a registry's URL as users write it: no scheme means https (loopback: http), the path is a
 * namespace, a leading `/v2` belongs to the API and not to the namespace, and the API of `docker.io` is at
 * `registry-1.docker.io`. Returns null when the text is not an http(s) URL, has credentials, a query or a
 * fragment, or its path is not a repository name.
 */
export function parseRegistryUrl(text: string): RegistryAddress | null {
  const url = readUrl(text);
  if (url === null || !isHttp(url) || hasCredentials(url) || hasQuery(url)) return null;
  const namespace = url.pathname
    .split("/")
    .filter(Boolean)
    .join("/")
    .replace(/^v2(?:\/|$)/, "");
  if (namespace !== "" && !isImageName(namespace)) return null;
  const docker = ["docker.io", "index.docker.io", "hub.docker.com"].includes(
    url.hostname,
  );
  return { origin: docker ? "https://registry-1.docker.io" : url.origin, namespace };
}

/**
 * Returns the name of an image in the registry, with the registry's namespace. On Docker Hub a name of one
 * segment is below `library/`, where the official images are.
 */
export function fullName(registry: RegistryAddress, name: string): string {
  const path = registry.namespace === "" ? name : `${registry.namespace}/${name}`;
  const official =
    registry.origin === "https://registry-1.docker.io" && !path.includes("/");
  return official ? `library/${path}` : path;
}
