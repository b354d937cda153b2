import type { Context } from "hono";
import {
  REGISTRY_ACTIONS,
  type RegistryScope,
} from "../../../activities/secrets/registry-token.ts";
import { isImageName } from "../../../domain/reference.ts";
import type { Login } from "../../http/auth.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { wholeBody } from "../../http/body.ts";
import { OciError } from "./errors.ts";
import { CATALOG, checkBasic } from "./rights.ts";

/** How long a token is valid, in seconds; after that, clients fetch another one. */
const TOKEN_LIFE = 900;
/** Strangers send it, because the login is in it. */
const MOST_FORM = 16 * 1024;

const refusal = () =>
  new OciError(
    401,
    "UNAUTHORIZED",
    "log in with the user name and password of this instance",
    {
      headers: {
        "www-authenticate": 'Basic realm="artifact replication", charset="UTF-8"',
      },
    },
  );

/**
 * Issues a token after a login: by GET with Basic, as `docker login` does, or by POST of OAuth 2 with a password
 * (distribution's token specifications).
 */
export async function giveToken(
  c: Context<Env>,
  deps: ApiDeps & { login: Login },
): Promise<Response> {
  const asked = c.req.method === "POST" ? await oauth(c, deps) : await basic(c, deps);
  const token = deps.registryTokens.issue(granted(asked), TOKEN_LIFE);
  const headers = { "cache-control": "no-store" };
  return c.json(
    {
      token,
      access_token: token,
      expires_in: TOKEN_LIFE,
      issued_at: new Date(deps.now()).toISOString(),
      scope: asked.join(" "),
    },
    200,
    headers,
  );
}

async function basic(c: Context<Env>, deps: { login: Login }): Promise<string[]> {
  if (c.req.header("authorization") === undefined) throw refusal();
  await checkBasic(c, deps, refusal);
  return c.req.queries("scope") ?? [];
}

async function oauth(c: Context<Env>, deps: { login: Login }): Promise<string[]> {
  const form = new URLSearchParams((await wholeBody(c, MOST_FORM)).toString("utf8"));
  if (form.get("grant_type") !== "password")
    throw new OciError(
      400,
      "UNSUPPORTED",
      "grant_type must be password: no other is supported here",
    );
  const [username, password] = [form.get("username"), form.get("password")];
  if (username === null || password === null) throw refusal();
  await checkBasic(c, deps, refusal, `${username}:${password}`);
  return form.getAll("scope");
}

/**
 * Returns the scopes that a token gets. The admin has every right; unknown kinds and actions, and
 * invalid names, are left out.
 */
function granted(asked: readonly string[]): RegistryScope[] {
  return asked
    .flatMap((scopes) => scopes.split(" "))
    .flatMap((scope): RegistryScope[] => {
      if (scope === "registry:catalog:*") return [CATALOG];
      const [, name = "", actions = ""] =
        /^repository(?:\([a-z]+\))?:([^:]+):(.*)$/.exec(scope) ?? [];
      if (!isImageName(name)) return [];
      const wanted = actions.split(",");
      return [
        {
          name,
          actions: REGISTRY_ACTIONS.filter(
            (action) => wanted.includes(action) || wanted.includes("*"),
          ),
        },
      ];
    });
}
