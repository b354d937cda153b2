import { X509Certificate } from "node:crypto";
import type { Sealer } from "../../activities/secrets/seal.ts";
import { type RepositoryRow, secretOwner } from "../../db/content/repositories.ts";
import { unreadable } from "../../domain/capabilities.ts";
import { isSameEnd } from "../../domain/endpoint-url.ts";
import { defaultProtocol, namedProtocol, protocolOf } from "../../domain/protocols.ts";
import { parseRegistryUrl } from "../../domain/reference.ts";
import { isImageType } from "../../domain/repository-types.ts";
import type { Protocol, RepositoryType } from "../../domain/vocabulary.ts";
import { checkAll } from "../../domain/request-error.ts";
import { text } from "../../domain/text.ts";
import { checkRegistryUrl } from "../http/check-url.ts";
import type { ApiDeps, LinkedAccess } from "../deps.ts";
import { fail } from "../http/errors.ts";
import { checkRealms } from "../keys/realms.ts";
import { changedCredentials, storedCredentials } from "../keys/stored.ts";
import type { Configuration } from "./shapes.ts";

type Link = Pick<
  RepositoryRow,
  | "url"
  | "protocol"
  | "username"
  | "secret"
  | "acceptedRealms"
  | "certificate"
  | "insecureSkipVerify"
>;

export const UNLINKED: Link = {
  url: null,
  protocol: null,
  username: null,
  secret: null,
  acceptedRealms: null,
  certificate: null,
  insecureSkipVerify: false,
};

type Owner = Pick<RepositoryRow, "projectId" | "name" | "type">;

/**
 * Returns the link of a repository (url, protocol, credentials) after a configuration. A field that
 * was not sent stays as `before`; credentials stay only if the url keeps its host. Throws ApiError
 * if there is no url or a field is not valid.
 */
export function linkOf(
  deps: ApiDeps,
  owner: Owner,
  configuration: Configuration | null,
  before: Link,
): Link {
  const protocol =
    configuration?.protocol === undefined ? before.protocol : configuration.protocol;
  const wanted = configuration?.url || (protocol === before.protocol ? null : before.url);
  const certificate = configuration?.certificate ?? before.certificate;
  const missing = configuration?.url === "" ? 250104 : 250103;
  let url = "";
  checkAll(
    () =>
      void (url = wanted
        ? checkUrl(deps, owner.type, protocol, wanted)
        : (before.url ?? fail(missing, "configuration.url"))),
    () => checkCertificate(certificate),
  );
  const kept = before.url !== null && isSameEnd(before.url, url);
  const acceptedRealms = checkRealms(
    url,
    configuration?.acceptedRealms,
    kept ? before.acceptedRealms : null,
    "configuration.acceptedRealms",
  );
  const { username, password, token } = {
    ...NO_CREDENTIALS,
    ...configuration?.credentials,
  };
  const givenToken = token ?? configuration?.token ?? null;
  const given = {
    ...(password === null ? {} : { password }),
    ...(givenToken === null ? {} : { token: givenToken }),
  };
  return {
    url,
    protocol,
    username: (username ?? (kept ? before.username : null)) || null,
    secret: changedCredentials(
      deps.sealer,
      secretOwner(owner),
      { url, realms: acceptedRealms },
      kept ? { url: before.url ?? url, secret: before.secret } : null,
      given,
    ),
    acceptedRealms,
    certificate: certificate || null,
    insecureSkipVerify: configuration?.insecureSkipVerify ?? before.insecureSkipVerify,
  };
}

const NO_CREDENTIALS = { username: null, password: null, token: null };

function checkUrl(
  deps: ApiDeps,
  type: RepositoryType,
  protocol: Protocol | null,
  given: string,
): string {
  const url = checkRegistryUrl(deps, given, protocol, "configuration.url");
  const problem = unreadable(type, namedProtocol(protocol, url));
  if (problem !== null)
    fail(
      250105,
      protocol === null ? "configuration.url" : "configuration.protocol",
      problem,
    );
  const isOfImages =
    isImageType(type) && protocolOf(type, protocol, url) === defaultProtocol(type);
  if (!isOfImages || parseRegistryUrl(url)) return url;
  return fail(
    250105,
    "configuration.url",
    text(
      "its path must be a lower-case namespace of the registry, as in https://host/team",
      "其路径必须是外部仓库中的小写命名空间，例如 https://host/team",
    ),
  );
}

function checkCertificate(pem: string | null): void {
  if (pem && !isCertificate(pem))
    fail(
      250105,
      "configuration.certificate",
      text("it must be a certificate in PEM form", "必须是 PEM 格式的证书"),
    );
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Returns how to reach the registry behind a linked repository; throws 250112 for a hosted one. */
export function linkedAccess(sealer: Sealer, row: RepositoryRow): LinkedAccess {
  const { type, url, protocol, username, certificate, insecureSkipVerify } = row;
  if (url === null) {
    const repository = `${row.projectId}/${row.name}`;
    const why = text(
      `${repository} is hosted here and has no registry to connect to: name a linked repository`,
      `${repository} 是本地仓库，没有可连接的外部仓库：请指定远程仓库`,
    );
    return fail(250112, why);
  }
  const stored = { url, secret: row.secret };
  const opened = storedCredentials(sealer, secretOwner(row), stored);
  return {
    type,
    url,
    protocol,
    username,
    password: opened?.credentials.password ?? null,
    token: opened?.credentials.token ?? null,
    ...(opened === null ? { unreadable: true } : {}),
    acceptedRealms: opened?.realms ?? null,
    certificate,
    insecureSkipVerify,
  };
}
