import {
  endpointText,
  EndpointUrlError,
  MAX_LENGTH,
  parseEndpointUrl,
  WITHOUT_QUERY,
} from "./endpoint-url.ts";
import { hasCredentials, hasQuery } from "./http-url.ts";
import { protocolOfScheme, type UrlForm, urlForm } from "./protocols.ts";
import { text, type Text } from "./text.ts";
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
export function parseProtocolUrl(given: string, protocol: Protocol | null): RegistryUrl {
  const trimmed = given.trim();
  if (trimmed.length > MAX_LENGTH)
    throw new EndpointUrlError(
      text(`write at most ${MAX_LENGTH} characters`, `最多 ${MAX_LENGTH} 个字符`),
    );
  const byScheme = protocolOfScheme(trimmed);
  if (byScheme !== null && protocol !== null && byScheme !== protocol) {
    const scheme = trimmed.slice(0, trimmed.indexOf(":") + 1);
    throw new EndpointUrlError(
      text(
        `an address that begins with ${scheme} is one of protocol ${byScheme}, not ${protocol}: change one of them`,
        `以 ${scheme} 开头的地址属于协议 ${byScheme}，而不是 ${protocol}：请修改其中之一`,
      ),
    );
  }
  return FORMS[urlForm(protocol ?? byScheme)](trimmed);
}

const overHttp: Form = (given) => {
  const url = parseEndpointUrl(given);
  return { text: endpointText(url), host: url.hostname };
};

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9-]{1,64}$/;

/**
 * Parses the address of an S3 bucket: `s3://bucket/prefix` (AWS), or an endpoint's address with the bucket
 * as first segment. `?region=` may follow, and after an endpoint's address also `style=`.
 */
function bucket(given: string): RegistryUrl {
  const [address = "", query = "", ...more] = given.split("?");
  if (more.length > 0)
    throw new EndpointUrlError(text("write at most one ?", "最多只能有一个 ?"));
  if (protocolOfScheme(address) !== null) return atAws(address, query);
  const url = parseEndpointUrl(address);
  checkBucket(
    url.pathname.split("/")[1] ?? "",
    text("write https://host/bucket", "请写成 https://host/bucket"),
  );
  return {
    text: endpointText(url) + queryText(query, ["region", "style"]),
    host: url.hostname,
  };
}

const AWS_FORM = text(
  "write s3://bucket or s3://bucket/prefix",
  "请写成 s3://bucket 或 s3://bucket/prefix",
);

function atAws(address: string, query: string): RegistryUrl {
  if (!URL.canParse(address)) throw new EndpointUrlError(AWS_FORM);
  const url = new URL(address);
  if (hasCredentials(url)) {
    throw new EndpointUrlError(
      text(
        "write the key into username and password, not into the url",
        "密钥请写入 username 和 password，不要写在 url 中",
      ),
    );
  }
  if (url.hash !== "")
    throw new EndpointUrlError(text("write it without #", "不能含有 #"));
  checkBucket(url.host, AWS_FORM);
  return {
    text: `s3://${url.host}${url.pathname.replace(/\/+$/, "")}${queryText(query, ["region"])}`,
    host: null,
  };
}

function checkBucket(name: string, form: Text): void {
  if (!BUCKET.test(name)) {
    throw new EndpointUrlError(
      text(
        `${form.en}, where the bucket has 3 to 63 lower-case letters, digits, . or -`,
        `${form.zh}，其中 bucket 为 3 到 63 个小写字母、数字、. 或 -`,
      ),
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
      text(
        `after ? write ${known.join(" and ")} alone, each at most once`,
        `? 之后只能写 ${known.join(" 和 ")}，每项最多一次`,
      ),
    );
  for (const [key, value] of given) {
    if (key === "region" && !REGION.test(value)) {
      throw new EndpointUrlError(
        text(
          "write the region as in ?region=eu-central-1",
          "区域请写成 ?region=eu-central-1 的形式",
        ),
      );
    }
    if (key === "style" && value !== "path" && value !== "virtual") {
      throw new EndpointUrlError(
        text("style must be path or virtual", "style 必须是 path 或 virtual"),
      );
    }
  }
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

/**
 * A backslash, or a percent-encoded slash, backslash or control character; the path of a folder may not
 * contain any.
 */
const UNFIT = /%(?:[01][0-9a-f]|2f|5c|7f)|\\/i;

const FOLDER_FORM = text(
  "write file:///folder/on/the/disk of this instance",
  "请写成 file:///folder/on/the/disk，指本实例磁盘上的目录",
);

function folder(given: string): RegistryUrl {
  if (protocolOfScheme(given) === null || !URL.canParse(given))
    throw new EndpointUrlError(FOLDER_FORM);
  const url = new URL(given);
  if (url.host !== "")
    throw new EndpointUrlError(
      text(
        `${FOLDER_FORM.en}: after file: it has three slashes and no host`,
        `${FOLDER_FORM.zh}：file: 之后是三个斜杠，不含主机名`,
      ),
    );
  if (hasQuery(url)) throw new EndpointUrlError(WITHOUT_QUERY);
  const path = url.pathname.replace(/\/+$/, "");
  if (path === "" || UNFIT.test(given)) throw new EndpointUrlError(FOLDER_FORM);
  return { text: `file://${path}`, host: null };
}

const FORMS = { http: overHttp, bucket, folder } satisfies Record<UrlForm, Form>;
