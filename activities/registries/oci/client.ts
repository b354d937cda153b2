import { TransferError } from "../../../domain/failure.ts";
import type { RegistryAddress } from "../../../domain/reference.ts";
import type { HttpClient } from "../http.ts";
import { type HttpRequest, type HttpResponse, isStreamed } from "../http-message.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { createAuthorization, type Credentials } from "./authorization.ts";
import { describeErrors, errorCodes, OCI_CODES } from "./errors.ts";

export type RegistryRequest = Omit<
  HttpRequest,
  "url" | "ours" | "describe" | "errorCodes" | "knownCodes"
> & {
  /** A path of the API below `/v2/`, or a whole URL that the registry has sent (the location of an upload). */
  to: string | URL;
  scopes: readonly string[];
};

/** Sends requests to one registry with the login that it demands. */
export type RegistryClient = {
  readonly origin: URL;
  request: (request: RegistryRequest) => Promise<HttpResponse>;
  /**
   * Resolves a Location header of this registry to a URL that this client can reach: behind a proxy the
   * registry may not know that it is reached by https, or below a path.
   */
  resolve: (location: string, base: URL) => URL;
};

export function createRegistryClient(
  http: HttpClient,
  address: RegistryAddress,
  credentials: Credentials,
): RegistryClient {
  const origin = new URL(address.origin);
  const { valueFor, learn } = createAuthorization(http, origin, credentials);

  async function request({
    to,
    scopes,
    ...rest
  }: RegistryRequest): Promise<HttpResponse> {
    const url =
      typeof to === "string" ? new URL(`${address.base ?? ""}/v2/${to}`, origin) : to;
    const plain = {
      ...rest,
      url,
      ours: typeof to === "string" ? undefined : origin.origin,
      describe: describeErrors,
      errorCodes,
      knownCodes: OCI_CODES,
    };
    if (url.origin !== origin.origin) return http.request(plain);
    const sent = await unlessAborted(valueFor(scopes), rest.signal);
    const first = {
      ...withAuthorization(plain, sent),
      accept: [...(rest.accept ?? []), 401],
    };
    const response = await http.request(first);
    if (response.status !== 401) return response;
    if (!learn(response, sent, scopes)) {
      if (rest.accept?.includes(401) === true) return response;
      throw await response.failure();
    }
    if (isStreamed(rest.body)) throw lostLogin(await response.failure());
    await response.discard();
    const again = await unlessAborted(valueFor(scopes), rest.signal);
    return http.request(withAuthorization(plain, again));
  }

  return {
    origin,
    request,
    resolve: (location, base) => resolveAt(address, origin, new URL(location, base)),
  };
}

/**
 * Rewrites `url` so that this client can reach it: at an instance, to the origin and base path of its registry;
 * at any other registry that is reached by https, from http to https if the host is the registry's.
 */
function resolveAt({ base }: RegistryAddress, origin: URL, url: URL): URL {
  if (base !== undefined) {
    const path = url.pathname.slice(Math.max(0, url.pathname.indexOf("/v2/")));
    return new URL(base + path + url.search, origin);
  }
  return url.hostname === origin.hostname &&
    origin.protocol === "https:" &&
    url.protocol === "http:"
    ? new URL(`${url.pathname}${url.search}`, origin)
    : url;
}

function withAuthorization(request: HttpRequest, value: string | undefined): HttpRequest {
  return value === undefined
    ? request
    : { ...request, headers: { ...request.headers, authorization: value } };
}

/**
 * Builds the error for a 401 within an upload: the login was valid at the start of the upload, so its
 * token expired and a retry can succeed.
 */
function lostLogin(refusal: TransferError): TransferError {
  return new TransferError(
    "server",
    `${refusal.message} (the login expired during the upload)`,
    { cause: refusal },
  );
}
