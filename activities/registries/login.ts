type Login = {
  username?: string | null | undefined;
  password?: string | null | undefined;
  token?: string | null | undefined;
};

/** What is given of a login: nothing, a username without password and token, or all that an end can check. */
export type GivenLogin = "none" | "name" | "whole";

export function givenLogin({ username, password, token }: Login): GivenLogin {
  if (token || (username && password)) return "whole";
  return username ? "name" : "none";
}

/**
 * Returns the value of the Authorization header for a login; null when the login has neither a token nor a
 * username.
 */
export function authorizationOf({ username, password, token }: Login): string | null {
  if (token) return `Bearer ${token}`;
  return username
    ? `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}`
    : null;
}

/**
 * Returns the texts of a login that no message may contain, in case a server echoes them: password and token, alone
 * and as Basic carries them. Some registries take a token for the password of a user.
 */
export function secretsOf(login: Login): string[] {
  const { username, password, token } = login;
  const values = [password, token]
    .filter((secret) => typeof secret === "string")
    .map((secret) => Buffer.from(`${username ?? ""}:${secret}`).toString("base64"));
  return [password, token, ...values].filter(
    (secret): secret is string => typeof secret === "string" && secret !== "",
  );
}
