import { createPrivateKey, createSign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { selfSigned, USER } from "./credentials.ts";

export type TokenServer = {
  realm: string;
  /** Path of the PEM certificate that verifies the tokens. */
  certificate: string;
  /** Scopes and user of each token request, in order. */
  requests: { scopes: string[]; user: string | null }[];
  /**
   * Lifetime of the next tokens, the name of the field that carries them, and the action that they never
   * allow.
   */
  settings: {
    lifeSeconds: number;
    field: "token" | "access_token";
    withheld: "push" | null;
  };
  stop: () => Promise<void>;
};

/**
 * Starts a token server as the distribution token specification defines it: USER may pull and push, nobody else may do
 * anything.
 */
export async function startTokenServer(folder: string): Promise<TokenServer> {
  const { key, certificate } = selfSigned(folder);
  const signingKey = createPrivateKey(readFileSync(key));
  const x5c = [new X509Certificate(readFileSync(certificate)).raw.toString("base64")];
  const requests: TokenServer["requests"] = [];
  const settings: TokenServer["settings"] = {
    lifeSeconds: 300,
    field: "token",
    withheld: null,
  };
  const expected = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString("base64")}`;

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const scopes = url.searchParams.getAll("scope").flatMap((scope) => scope.split(" "));
    const login = request.headers.authorization;
    requests.push({
      scopes,
      user:
        login === undefined
          ? null
          : Buffer.from(login.slice(6), "base64").toString().replace(/:.*/, ""),
    });
    if (login !== undefined && login !== expected) {
      response.writeHead(401).end(
        JSON.stringify({
          errors: [{ code: "UNAUTHORIZED", message: "wrong user or password" }],
        }),
      );
      return;
    }
    const now = Math.floor(Date.now() / 1000);
    const access =
      login === undefined
        ? []
        : scopes.map((scope) => toAccess(scope, settings.withheld));
    const claims = {
      iss: "test",
      sub: "alice",
      aud: "test",
      iat: now,
      nbf: now - 5,
      exp: now + settings.lifeSeconds,
      access,
    };
    const token = sign({ alg: "RS256", typ: "JWT", x5c }, claims);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ [settings.field]: token, expires_in: settings.lifeSeconds }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  function sign(header: object, claims: object): string {
    const input = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${input}.${createSign("RSA-SHA256").update(input).sign(signingKey).toString("base64url")}`;
  }

  return {
    realm: `http://127.0.0.1:${port}/token`,
    certificate,
    requests,
    settings,
    stop: () =>
      new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
  };
}

function toAccess(
  scope: string,
  withheld: string | null,
): { type: string; name: string; actions: string[] } {
  const [type = "", name = "", actions = ""] = scope.split(":");
  return {
    type,
    name,
    actions: actions.split(",").filter((action) => action !== withheld),
  };
}
