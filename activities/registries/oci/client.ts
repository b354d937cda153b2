import { TransferError } from "../../../domain/failure.ts";
import type { RegistryAddress } from "../../../domain/reference.ts";
import { type HttpClient, type HttpRequest, type HttpResponse, isStreamed } from "../http.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { preferredChallenge, type Challenge } from "./challenge.ts";
import { createTokenStore } from "./tokens.ts";

export type Credentials = {
  username?: string | null | undefined;
  password?: string | null | undefined;
  /** With a username: its password. Alone: sent as the registry's Bearer token as it is. */
  token?: string | null | undefined;
  /** Instead of all these, what is sent with each request for these scopes, unasked. */
  authorization?: ((scopes: readonly string[]) => string | undefined) | undefined;
};

export type RegistryRequest = Omit<HttpRequest, "url" | "describe" | "errorCodes"> & {
  /** A path of the API below `/v2/`, or a whole URL the registry gave (an upload's location). */
  to: string | URL;
  scopes: readonly string[];
};

/** Requests to one registry with whatever login it asks for. */
export type RegistryClient = {
  readonly origin: URL;
  request: (request: RegistryRequest) => Promise<HttpResponse>;
  /** Resolves a Location of this registry; one that says http behind a proxy that speaks https is put right. */
  resolve: (location: string, base: URL) => URL;
};

export function createRegistryClient(
  http: HttpClient,
  address: RegistryAddress,
  credentials: Credentials,
): RegistryClient {
  const origin = new URL(address.origin);
  const basic = basicHeader(credentials);
  const token = basic === undefined && credentials.token ? `Bearer ${credentials.token}` : undefined;
  const fixed = credentials.authorization ?? (token === undefined ? undefined : () => token);
  const tokens = createTokenStore(http, origin, basic);
  let challenge: Promise<Challenge | undefined> | undefined;

  /** Asked once: which login the registry wants; a registry that does not say gets none until it does. */
  function firstChallenge(): Promise<Challenge | undefined> {
    challenge ??= askChallenge(http, origin).catch((error: unknown) => {
      challenge = undefined;
      throw error;
    });
    return challenge;
  }

  async function authorization(scopes: readonly string[]): Promise<string | undefined> {
    if (fixed !== undefined) return fixed(scopes);
    const wanted = await firstChallenge();
    if (wanted?.scheme === "bearer") return tokens.get(wanted, scopes);
    return wanted?.scheme === "basic" ? basic : undefined;
  }

  /** Takes in what a 401 says; true when asking again can help: another token, or a login not tried yet. */
  function learn(response: HttpResponse, sent: string | undefined, scopes: readonly string[]): boolean {
    const wanted = preferredChallenge(response.list("www-authenticate"));
    if (wanted === undefined || fixed !== undefined) return false;
    challenge = Promise.resolve(wanted);
    if (wanted.scheme === "basic") return basic !== undefined && sent !== basic;
    tokens.drop(scopes, sent ?? "", wanted.parameters.get("scope"));
    return true;
  }

  async function request({ to, scopes, ...rest }: RegistryRequest): Promise<HttpResponse> {
    const url = typeof to === "string" ? new URL(`${address.base ?? ""}/v2/${to}`, origin) : to;
    const plain = { ...rest, url, describe: describeErrors, errorCodes };
    if (url.origin !== origin.origin) return http.request(plain);
    const sent = await unlessAborted(authorization(scopes), rest.signal);
    const first = { ...withAuthorization(plain, sent), accept: [...(rest.accept ?? []), 401] };
    const response = await http.request(first);
    if (response.status !== 401) return response;
    if (!learn(response, sent, scopes)) {
      if (rest.accept?.includes(401) === true) return response;
      throw await response.failure();
    }
    if (isStreamed(rest.body)) throw lostLogin(await response.failure());
    await response.discard();
    const again = await unlessAborted(authorization(scopes), rest.signal);
    return http.request(withAuthorization(plain, again));
  }

  return {
    origin,
    request,
    resolve(location, base) {
      const url = new URL(location, base);
      if (address.base !== undefined)
        return new URL(
          address.base + url.pathname.slice(Math.max(0, url.pathname.indexOf("/v2/"))) + url.search,
          origin,
        );
      return url.hostname === origin.hostname && origin.protocol === "https:" && url.protocol === "http:"
        ? new URL(`${url.pathname}${url.search}`, origin)
        : url;
    },
  };
}

async function askChallenge(http: HttpClient, origin: URL): Promise<Challenge | undefined> {
  const url = new URL("/v2/", origin);
  const response = await http.request({
    method: "GET",
    url,
    what: `registry ${origin.host}`,
    accept: [401, 403, 404, 405],
  });
  await response.discard();
  return preferredChallenge(response.list("www-authenticate"));
}

function basicHeader({ username, password, token }: Credentials): string | undefined {
  if (!username) return undefined;
  return `Basic ${Buffer.from(`${username}:${password ?? token ?? ""}`).toString("base64")}`;
}

function withAuthorization(request: HttpRequest, value: string | undefined): HttpRequest {
  return value === undefined ? request : { ...request, headers: { ...request.headers, authorization: value } };
}

/** The upload was let in when it began, so a 401 in its middle is a token that ran out: worth another try. */
function lostLogin(refusal: TransferError): TransferError {
  return new TransferError("server", `${refusal.message} (the login ran out during the upload)`, { cause: refusal });
}

type ErrorEntry = { code?: unknown; message?: unknown; detail?: unknown } | null;

/** The entries of `{"errors":[{code, message, detail}]}`; null when the body is something else. */
function readErrors(body: string): ErrorEntry[] | null {
  try {
    const errors = (JSON.parse(body) as { errors?: unknown } | null)?.errors;
    return Array.isArray(errors) ? (errors as ErrorEntry[]) : null;
  } catch {
    return null;
  }
}

const errorCodes = (body: string): string[] =>
  (readErrors(body) ?? []).flatMap((error) => (typeof error?.code === "string" ? [error.code] : []));

/** The entries in one line; errno 28 is how distribution says that its disk is full. */
function describeErrors(body: string): string {
  const errors = readErrors(body);
  if (errors === null) return body;
  const full = /"Err":28\b|no space left/.test(body) ? "no space left on its device; " : "";
  return full + errors.map(describeError).join("; ");
}

function describeError(error: ErrorEntry): string {
  const detail = error?.detail === undefined || error.detail === null ? "" : ` ${JSON.stringify(error.detail)}`;
  return `${String(error?.code ?? "")}: ${String(error?.message ?? "")}${detail}`;
}
