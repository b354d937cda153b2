import type { Context } from "hono";
import type { Env } from "../deps.ts";

/**
 * Notes that the credentials or the signature of a request are good. From now on it may take the time and
 * the memory that strangers do not get. `user`: whom the log names.
 */
export function admit(c: Context<Env>, user: string): void {
  c.set("user", user);
  c.env?.admitted?.();
}
