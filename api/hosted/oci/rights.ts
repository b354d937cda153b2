import type { Context } from "hono";
import {
  allows,
  type RegistryAction,
  type RegistryScope,
} from "../../../activities/secrets/registry-token.ts";
import { WRONG_LOGIN } from "../../../domain/login.ts";
import { basicCredentials, type Login } from "../../http/auth.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { admit } from "../../http/admit.ts";
import { ApiError } from "../../http/errors.ts";
import { OciError } from "./errors.ts";
import type { Target } from "./target.ts";

/** Whether the client may do something with an image. */
export type Rights = (name: string, action: RegistryAction) => boolean;

/** The scope of tokens that may list the catalog; no image has such a name. */
export const CATALOG: RegistryScope = { name: "registry:catalog", actions: ["pull"] };

type Guard = Pick<ApiDeps, "registryTokens" | "admin"> & { login: Login };

/**
 * Returns the rights that the credentials of a request give: Basic gives all, a token gives those
 * of its scopes. Throws the challenge of distribution's token flow if the credentials are missing
 * or not valid, or do not allow the request.
 */
export async function rightsOf(
  c: Context<Env>,
  guard: Guard,
  target: Target,
): Promise<Rights> {
  const header = c.req.header("authorization");
  if (header === undefined) throw challenge(c, target, "log in first", null);
  const [, token] = /^bearer +(\S+) *$/i.exec(header) ?? [];
  if (token === undefined) {
    await checkBasic(c, guard, () => challenge(c, target, WRONG_LOGIN.en, null));
    return () => true;
  }
  const scopes = guard.registryTokens.check(token);
  if (!scopes)
    throw challenge(
      c,
      target,
      "the token is not valid here or has expired: fetch another one",
      "invalid_token",
    );
  admit(c, guard.admin.username);
  const rights: Rights = (name, action) => allows(scopes, name, action);
  const { name, action } = needed(c.req.method, target);
  if (name !== "" && !rights(name, action))
    throw challenge(
      c,
      target,
      `the token does not allow this: it needs ${action} on ${name}`,
      "insufficient_scope",
    );
  return rights;
}

/**
 * Checks Basic credentials. For wrong ones throws what `refusal` builds, delayed like every wrong
 * login.
 */
export async function checkBasic(
  c: Context<Env>,
  { login }: Pick<Guard, "login">,
  refusal: () => OciError,
  given = basicCredentials(c.req.header("authorization") ?? ""),
): Promise<void> {
  try {
    await login(c, given);
  } catch (error) {
    throw error instanceof ApiError && error.status === 401 ? refusal() : error;
  }
}

const READS = ["GET", "HEAD"];

function needed(
  method: string,
  { kind, name }: Target,
): { name: string; action: RegistryAction } {
  if (kind === "catalog") return { name: CATALOG.name, action: "pull" };
  if (kind === "upload" || kind === "uploads") return { name, action: "push" };
  if (READS.includes(method)) return { name, action: "pull" };
  return { name, action: method === "DELETE" ? "delete" : "push" };
}

/** Builds the challenge of RFC 6750, with the realm, service and scope of distribution's token specification. */
function challenge(
  c: Context<Env>,
  target: Target,
  message: string,
  error: string | null,
): OciError {
  const parameters = [
    `realm="${c.get("client").origin}/v2/token"`,
    `service="${SERVICE}"`,
  ];
  const scope = scopeOf(c, target);
  if (scope !== "") parameters.push(`scope="${scope}"`);
  if (error !== null) parameters.push(`error="${error}"`);
  return new OciError(401, "UNAUTHORIZED", message, {
    headers: { "www-authenticate": `Bearer ${parameters.join(",")}` },
  });
}

const SERVICE = "artifact-replication";

function scopeOf(c: Context<Env>, target: Target): string {
  const { name, action } = needed(c.req.method, target);
  if (name === "") return "";
  if (target.kind === "catalog") return "registry:catalog:*";
  const from = c.req.query("from");
  const source =
    from !== undefined && /^[a-z0-9._/-]+$/.test(from) ? [`repository:${from}:pull`] : [];
  return [
    `repository:${name}:${action === "push" ? "pull,push" : action}`,
    ...source,
  ].join(" ");
}
