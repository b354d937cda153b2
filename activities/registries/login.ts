type Login = {
  username?: string | null | undefined;
  password?: string | null | undefined;
  token?: string | null | undefined;
};

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

/** Returns the texts of a login that no message may contain, in case a server echoes them. */
export function secretsOf(login: Login): string[] {
  const value = authorizationOf(login)?.split(" ")[1];
  return [login.password, login.token, value].filter(
    (secret): secret is string => typeof secret === "string" && secret !== "",
  );
}
