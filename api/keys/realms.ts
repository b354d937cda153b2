import {
  openCredentials,
  sealCredentials,
} from "../../activities/secrets/credentials.ts";
import { endWithoutRealms, keepRealms } from "../../db/secrets/sealed.ts";
import { write } from "../../db/open.ts";
import { hasCredentials, hasQuery, isHttp } from "../../domain/http-url.ts";
import { endText, type OnRealm, type Realms, realmText } from "../../domain/realms.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps, Logger } from "../deps.ts";
import { fail } from "../http/errors.ts";
import { spareWrite } from "../http/spare-write.ts";

const MOST_REALMS = 10;
const LONGEST_REALM = 300;
const isSafe = (url: string): boolean => url.startsWith("https:");

type Keeping = Pick<ApiDeps, "db" | "sealer"> & { logger: Pick<Logger, "warn"> };

/**
 * Keeps the https realm of the first good login of an end as the only accepted one. An end that has accepted realms, is
 * at another place than `url` where the login was, or has no credentials that can be opened, stays as it is.
 */
export function keepRealm(
  { db, sealer, logger }: Keeping,
  { owner, url, realm }: { owner: string; url: string; realm: string },
): void {
  if (!URL.canParse(realm) || !isSafe(realm) || realm.length > LONGEST_REALM) return;
  spareWrite({ logger }, "the realm of a first login", () =>
    write(db, (tx) => {
      const end = endWithoutRealms(tx, owner);
      if (end === null || endText(end.url) !== endText(url)) return;
      const realms = [realmText(new URL(realm))];
      const secret = withRealms({ sealer, owner, realms }, end);
      if (secret !== null) keepRealms(tx, owner, end, { realms, secret });
    }),
  );
}

function withRealms(
  { sealer, owner, realms }: Pick<Keeping, "sealer"> & { owner: string; realms: Realms },
  { url, secret }: { url: string; secret: string },
): string | null {
  try {
    const opened = openCredentials(sealer, owner, url, secret);
    if (opened.realms !== null) return null;
    return sealCredentials(sealer, owner, { url, realms }, opened);
  } catch {
    return null;
  }
}

/** Returns the function that keeps the realm which a test of a saved end meets first. */
export const keepingRealm =
  (deps: Keeping, owner: string, url: string): OnRealm =>
  ({ realm, verdict, isGood }) => {
    if (verdict === "first" && isGood) keepRealm(deps, { owner, url, realm });
  };

/**
 * Returns the accepted realms of an end after a change, in the form in which they are stored: `given` ones, absent:
 * those of `before`. Throws 250105 for one that is no address, or that would get the password of an https end without
 * TLS.
 */
export function checkRealms(
  url: string,
  given: readonly string[] | null | undefined,
  before: Realms,
  field: string,
): Realms {
  const isSafeEnd = isSafe(url);
  if (given === undefined)
    return before?.filter((realm) => !isSafeEnd || isSafe(realm)) ?? null;
  if (given === null) return null;
  if (given.length > MOST_REALMS) fail(250105, field, TOO_MANY);
  const checked = given.map((realm, at) =>
    checkRealm(realm, isSafeEnd, `${field}[${at}]`),
  );
  return [...new Set(checked)];
}

function checkRealm(given: string, isSafeEnd: boolean, field: string): string {
  const url = URL.canParse(given.trim()) ? new URL(given.trim()) : null;
  if (url === null || !isHttp(url) || hasCredentials(url) || hasQuery(url))
    return fail(250105, field, NO_REALM);
  if (isSafeEnd && url.protocol === "http:") fail(250105, field, UNSAFE);
  return realmText(url);
}

const TOO_MANY = text(
  `at most ${MOST_REALMS} realms may be accepted`,
  `最多可接受 ${MOST_REALMS} 个 realm`,
);
const NO_REALM = text(
  "write the address of a token server, https://host[:port][/path], without credentials, ? and #",
  "请写令牌服务器的地址 https://host[:port][/path]，不含凭据、? 和 #",
);
const UNSAFE = text(
  "an https registry's password must not go to an http address: give the token server https",
  "https 仓库的密码不得发送到 http 地址：请为令牌服务器启用 https",
);
