import type { Context } from "hono";
import type { By } from "../../db/audit.ts";
import type { ApiDeps, Env } from "../deps.ts";

/** Returns the logged-in user of a request and the present time. */
export const by = (c: Context<Env>, { now }: Pick<ApiDeps, "now">): By => ({
  user: c.get("user"),
  now: now(),
});
