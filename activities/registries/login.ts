type Login = {
  username?: string | null | undefined;
  password?: string | null | undefined;
  token?: string | null | undefined;
};

/** The Authorization value of a login; null: there is none. */
export function authorizationOf({ username, password, token }: Login): string | null {
  if (token) return `Bearer ${token}`;
  return username ? `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}` : null;
}

/** The texts of a login that must show in no message, should a server echo them. */
export function secretsOf(login: Login): string[] {
  const value = authorizationOf(login)?.split(" ")[1];
  return [login.password, login.token, value].filter(
    (secret): secret is string => typeof secret === "string" && secret !== "",
  );
}
