import type { Digests } from "../../../domain/artifact.ts";
import { TransferError } from "../../../domain/failure.ts";
import { isRecord, type JsonObject, record } from "../../../domain/json.ts";
import { tarballFile, tarballPath } from "../../../domain/npm/package.ts";
import type { End } from "../contract.ts";
import type { Shown } from "../foreign.ts";
import { createHttpClient } from "../http.ts";
import type { HttpRequest, HttpResponse } from "../http-message.ts";
import { authorizationOf, secretsOf } from "../login.ts";
import { createRecent } from "../recent.ts";

/**
 * Accept header for the abbreviated document of a package: several times smaller than the full
 * document, and enough to list, compare and install it (npm's package-metadata).
 */
const ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
/**
 * Maximum size of a package's document in bytes; abbreviated documents with ten thousand versions have
 * a few MiB.
 */
const MOST_OF_A_DOCUMENT = 32 * 1024 * 1024;
/**
 * How long (ms) and how many packages' documents are remembered: one document serves all versions of
 * its package.
 */
const REMEMBERED = { lifeMs: 30_000, most: 50 };

/**
 * A package as its registry describes it; `tags` maps dist-tags to versions, `versions` the versions to their
 * documents. `modified`: its last change (epoch ms), null when the registry does not state it.
 */
export type Package = {
  name: string;
  tags: ReadonlyMap<string, string>;
  versions: ReadonlyMap<string, JsonObject>;
  modified: number | null;
};

export type NpmRegistry = ReturnType<typeof openNpmRegistry>;

/** Opens a client of npm's registry API. The namespace is a path between the registry's url and the package names. */
export function openNpmRegistry(end: End) {
  const http = createHttpClient({ ...end, secrets: secretsOf(end) });
  const base = [
    end.url.replace(/\/+$/, ""),
    ...end.namespace.split("/").filter(Boolean).map(encodeURIComponent),
  ].join("/");
  const authorization = authorizationOf(end);
  const login = authorization === null ? {} : { authorization };
  const packages = createRecent<Package | null>(REMEMBERED);

  /** Sends a request to the registry; `path` is relative to the registry's address and already encoded. */
  function ask(
    path: string,
    { headers, ...request }: Omit<HttpRequest, "url">,
  ): Promise<HttpResponse> {
    return http.request({
      ...request,
      url: new URL(`${base}/${path}`),
      headers: { accept: "application/json", ...login, ...headers },
      describe: saidBy,
      errorCodes,
    });
  }

  async function readPackage(name: string, signal: AbortSignal): Promise<Package | null> {
    const what = `package ${name}`;
    const answer = await ask(encodeName(name), {
      method: "GET",
      what,
      headers: { accept: ABBREVIATED },
      accept: [404],
      signal,
    });
    if (answer.status === 404) return answer.discard().then(() => null);
    return toPackage(name, await jsonOf(answer, what));
  }

  return {
    host: new URL(base).host,
    base,
    ask,
    http,
    login,
    /**
     * Returns a package, which may be remembered from up to 30 s ago; null when it does not exist.
     * `fresh`: ignores the remembered document.
     */
    package: (
      name: string,
      fresh: boolean,
      signal: AbortSignal,
    ): Promise<Package | null> =>
      packages.get(name, () => readPackage(name, signal), fresh),
    /** Forgets a package that was changed. */
    forget: packages.forget,
    close: http.close,
  };
}

/** Encodes a package name for a path: scope and name form one segment. */
export const encodeName = (name: string): string =>
  encodeURIComponent(name).replace(/^%40/, "@");

export async function jsonOf(answer: HttpResponse, what: string): Promise<JsonObject> {
  const bytes = await answer.bytes(MOST_OF_A_DOCUMENT);
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (isRecord(value)) return value;
  } catch {
    throw new TransferError(
      "invalid",
      `${what}: the answer of ${answer.place.host} is not JSON: is it an npm registry?`,
    );
  }
  throw new TransferError(
    "invalid",
    `${what}: the answer of ${answer.place.host} is not a JSON object: is it an npm registry?`,
  );
}

function toPackage(name: string, document: Record<string, unknown>): Package {
  const tags = Object.entries(record(document["dist-tags"])).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const versions = Object.entries(record(document["versions"])).map(
    ([version, each]) => [version, record(each)] as const,
  );
  const modified = Date.parse(
    String(document["modified"] ?? record(document["time"])["modified"] ?? ""),
  );
  return {
    name,
    tags: new Map(tags),
    versions: new Map(versions),
    modified: Number.isNaN(modified) ? null : modified,
  };
}

/**
 * Returns the message in an error body (registries send `{"error": …}`), "" when it has none; a body that is
 * not JSON is quoted itself.
 */
function saidBy(body: string, shown: Shown): string {
  try {
    const { error, message, reason } = record(JSON.parse(body));
    return [error, reason, message]
      .filter((text) => typeof text === "string")
      .map(shown)
      .join(": ");
  } catch {
    return shown(body);
  }
}

/** Returns the error code in an error body, or none. npm's own registry sends one (`E404`), most others do not. */
function errorCodes(body: string): string[] {
  try {
    const { code } = record(JSON.parse(body));
    return typeof code === "string" ? [code] : [];
  } catch {
    return [];
  }
}

/**
 * Returns the digests of a version's tarball that the version's document states in `dist` (SRI in `integrity`,
 * hex sha1 in `shasum`).
 */
export function digestsOf(document: JsonObject): Digests {
  const { integrity, shasum } = record(document["dist"]);
  const told = String(integrity ?? "")
    .split(/\s+/)
    .flatMap(digestOfSri);
  const sha1 =
    typeof shasum === "string" && /^[0-9a-f]{40}$/i.test(shasum)
      ? [["sha1", shasum.toLowerCase()] as const]
      : [];
  return Object.fromEntries([...sha1, ...told]);
}

function digestOfSri(text: string): (readonly [string, string])[] {
  const [, algorithm, base64] =
    /^(sha512|sha256|sha1)-([A-Za-z0-9+/]+={0,2})/.exec(text) ?? [];
  return algorithm && base64
    ? [[algorithm, Buffer.from(base64, "base64").toString("hex")]]
    : [];
}

/** Returns the usual address of a version's tarball, relative to the registry's address. */
export const tarballAddress = (name: string, version: string): string =>
  `${encodeName(name)}/-/${encodeURIComponent(tarballFile(name, version))}`;

/** Returns the path at which a hosted repository keeps a version's tarball, the only part of a version. */
export const partPath = (name: string, version: string): string =>
  tarballPath(name, tarballFile(name, version));
