import {
  endpointText,
  EndpointUrlError,
  MAX_LENGTH,
  parseEndpointUrl,
} from "./endpoint-url.ts";
import { hasCredentials, hasQuery } from "./http-url.ts";
import { protocolOfScheme, type UrlForm, urlForm } from "./protocols.ts";
import type { Protocol } from "./vocabulary.ts";

/**
 * `text`: the address of a registry in stored form; `host`: the host to connect to, null: the address names
 * none (AWS, a folder).
 */
type RegistryUrl = { text: string; host: string | null };
type Form = (text: string) => RegistryUrl;

/**
 * Parses the address of a registry in the syntax of its protocol; `protocol` null: in that of the URL's
 * scheme, else of http. Only the syntax is checked. Throws EndpointUrlError.
 */
export function parseProtocolUrl(text: string, protocol: Protocol | null): RegistryUrl {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH)
    throw new EndpointUrlError(`write at most ${MAX_LENGTH} characters`);
  const byScheme = protocolOfScheme(trimmed);
  if (byScheme !== null && protocol !== null && byScheme !== protocol) {
    const scheme = trimmed.slice(0, trimmed.indexOf(":") + 1);
    throw new EndpointUrlError(
      `an address that begins with ${scheme} is one of protocol ${byScheme}, not ${protocol}: change one of them`,
    );
  }
  return FORMS[urlForm(protocol ?? byScheme)](trimmed);
}

const overHttp: Form = (text) => {
  const url = parseEndpointUrl(text);
  return { text: endpointText(url), host: url.hostname };
};

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9-]{1,64}$/;

/**
 * Parses the address of an S3 bucket: `s3://bucket/prefix` (AWS), or an endpoint's address with the bucket
 * as first segment; `?region=` and `style=` may follow.
 */
function bucket(text: string): RegistryUrl {
  const [address = "", query = "", ...more] = text.split("?");
  if (more.length > 0) throw new EndpointUrlError("write at most one ?");
  if (protocolOfScheme(address) !== null) return atAws(address, query);
  const url = parseEndpointUrl(address);
  checkBucket(url.pathname.split("/")[1] ?? "", "write https://host/bucket");
  return {
    text: endpointText(url) + queryText(query, ["region", "style"]),
    host: url.hostname,
  };
}

function atAws(address: string, query: string): RegistryUrl {
  if (!URL.canParse(address))
    throw new EndpointUrlError("write s3://bucket or s3://bucket/prefix");
  const url = new URL(address);
  if (hasCredentials(url)) {
    throw new EndpointUrlError(
      "write the key into username and password, not into the url",
    );
  }
  if (url.hash !== "") throw new EndpointUrlError("write it without #");
  checkBucket(url.host, "write s3://bucket or s3://bucket/prefix");
  return {
    text: `s3://${url.host}${url.pathname.replace(/\/+$/, "")}${queryText(query, ["region"])}`,
    host: null,
  };
}

function checkBucket(name: string, form: string): void {
  if (!BUCKET.test(name)) {
    throw new EndpointUrlError(
      `${form}, where the bucket has 3 to 63 lower-case letters, digits, . or -`,
    );
  }
}

function queryText(query: string, known: readonly string[]): string {
  const given = [...new URLSearchParams(query)];
  const isKnown =
    new Set(given.map(([key]) => key)).size === given.length &&
    given.every(([key]) => known.includes(key));
  if (!isKnown)
    throw new EndpointUrlError(
      `after ? write ${known.join(" and ")} alone, each at most once`,
    );
  for (const [key, value] of given) {
    if (key === "region" && !REGION.test(value)) {
      throw new EndpointUrlError("write the region as in ?region=eu-central-1");
    }
    if (key === "style" && value !== "path" && value !== "virtual") {
      throw new EndpointUrlError("style must be path or virtual");
    }
  }
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

/** Characters that no segment of a folder's path may contain, also percent-encoded. */
const UNFIT = /%(?:[01][0-9a-f]|2f|5c|7f)|\\/i;

function folder(text: string): RegistryUrl {
  const form = "write file:///folder/on/the/disk of this instance";
  if (protocolOfScheme(text) === null || !URL.canParse(text))
    throw new EndpointUrlError(form);
  const url = new URL(text);
  if (url.host !== "")
    throw new EndpointUrlError(`${form}: after file: it has three slashes and no host`);
  if (hasQuery(url)) throw new EndpointUrlError("write it without ? and #");
  const path = url.pathname.replace(/\/+$/, "");
  if (path === "" || UNFIT.test(text)) throw new EndpointUrlError(form);
  return { text: `file://${path}`, host: null };
}

const FORMS = { http: overHttp, bucket, folder } satisfies Record<UrlForm, Form>;
