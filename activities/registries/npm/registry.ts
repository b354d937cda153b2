import type { Digests } from "../../../domain/artifact.ts";
import { TransferError } from "../../../domain/failure.ts";
import { isHttp, readUrl } from "../../../domain/http-url.ts";
import { isRecord, type JsonObject, record } from "../../../domain/json.ts";
import { jsonIfAny, NOT_JSON } from "../../../domain/foreign/json.ts";
import { LIMITS, type Limits } from "../../../domain/foreign/limits.ts";
import { BUDGETS } from "../../../domain/budgets.ts";
import { tarballFile, tarballPath } from "../../../domain/npm/package.ts";
import type { End } from "../contract.ts";
import type { Shown } from "../foreign.ts";
import { createHttpClient } from "../http.ts";
import type { HttpRequest, HttpResponse } from "../http-message.ts";
import { authorizationOf, secretsOf } from "../login.ts";
import { createRecent } from "../recent.ts";
import { createPackuments, notAnObject, type Package } from "./packument.ts";

/**
 * Accept header for the abbreviated document of a package: several times smaller than the full
 * document, and enough to list, compare and install it (npm's package-metadata).
 */
const ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
/**
 * How long (ms) and how many packuments are remembered, and how many bytes of them: one packument serves all versions
 * of its package.
 */
const REMEMBERED = { lifeMs: 30_000, most: 50, mostBytes: 48 * 1024 * 1024 };

type Request = Omit<HttpRequest, "url" | "method">;

const NO_URL =
  "the registry's url must be http(s)://host[:port][/namespace], without credentials or query";

/** Returns the address (`base`) and the host (`home`) of a registry; throws `invalid` for a url that is none. */
function addressOf({ url, namespace }: End): { base: string; home: string } {
  const read = readUrl(url);
  if (read === null || !isHttp(read)) throw new TransferError("invalid", NO_URL);
  const path = namespace.split("/").filter(Boolean).map(encodeURIComponent);
  const root = `${read.origin}${read.pathname}`.replace(/\/+$/, "");
  return { base: [root, ...path].join("/"), home: read.hostname };
}

/** The request for what is remembered of a package. */
const short = (name: string): Request => ({
  what: `package ${name}`,
  headers: { accept: ABBREVIATED },
  accept: [404],
});

export type NpmRegistry = ReturnType<typeof openNpmRegistry>;

/** Opens a client of npm's registry API. The namespace is a path between the registry's url and the package names. */
export function openNpmRegistry(end: End) {
  const { base, home } = addressOf(end);
  const http = createHttpClient({ ...end, home, secrets: secretsOf(end) });
  const authorization = authorizationOf(end);
  const login = authorization === null ? {} : { authorization };
  const packages = createRecent<Package | null>({
    ...REMEMBERED,
    bytesOf: (found) => found?.bytes ?? 0,
  });
  const { budgets = BUDGETS } = end;
  const readPackument = createPackuments(budgets);

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

  async function read(
    name: string,
    query: string,
    request: Request,
  ): Promise<Package | null> {
    const answer = await ask(encodeName(name) + query, { ...request, method: "GET" });
    if (answer.status === 404) return answer.discard().then(() => null);
    return readPackument(answer, name, request.what);
  }

  return {
    host: new URL(base).host,
    base,
    ask,
    http,
    login,
    budgets,
    /**
     * Returns a package, which may be remembered from up to 30 s ago; null when it does not exist.
     * `fresh`: ignores the remembered document.
     */
    package: (
      name: string,
      fresh: boolean,
      signal: AbortSignal,
    ): Promise<Package | null> =>
      packages.get(name, () => read(name, "", { ...short(name), signal }), fresh),
    /**
     * Reads the full packument of a package, which is not remembered; null when it does not exist. `query`: the query
     * of its address.
     */
    whole: (name: string, query: string, what: string, signal: AbortSignal) =>
      read(name, query, { what, accept: [404], signal }),
    /** Forgets a package that was changed. */
    forget: packages.forget,
    close: http.close,
  };
}

/** Encodes a package name for a path: scope and name form one segment. */
export const encodeName = (name: string): string =>
  encodeURIComponent(name).replace(/^%40/, "@");

/** Reads an answer that must be a JSON object. */
export async function jsonOf(
  answer: HttpResponse,
  what: string,
  limits: Limits,
): Promise<JsonObject> {
  const value = await answer.json(limits);
  if (isRecord(value)) return value;
  throw notAnObject(value, what, answer.place.host);
}

/**
 * Returns the message in an error body (registries send `{"error": …}`), "" when it has none; a body that is
 * not JSON is quoted itself.
 */
function saidBy(body: string, shown: Shown): string {
  const value = jsonIfAny(body, LIMITS.error);
  if (value === NOT_JSON) return shown(body);
  const { error, message, reason } = record(value);
  return [error, reason, message]
    .filter((text) => typeof text === "string")
    .map((text) => shown(text))
    .join(": ");
}

/** Returns the error code in an error body, or none. npm's own registry sends one (`E404`), most others do not. */
function errorCodes(body: string): string[] {
  const { code } = record(jsonIfAny(body, LIMITS.error));
  return typeof code === "string" ? [code] : [];
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
