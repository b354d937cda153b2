import type { Context } from "hono";
import type { ApiDeps, Env } from "../deps.ts";

/** Who changes something, and when (epoch ms). */
export type By = { user: string; now: number };

/** The logged-in user of a request, at this moment. */
export const by = (c: Context<Env>, { now }: Pick<ApiDeps, "now">): By => ({ user: c.get("user"), now: now() });
