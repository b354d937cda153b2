import type { MiddlewareHandler } from "hono";
import type { InternalSigner } from "../../activities/secrets/internal.ts";

/** Lets in only what is signed with the instance's secret key; a login does not help here. */
export function internalAuth(signer: InternalSigner): MiddlewareHandler {
  return async (c, next) => {
    const { pathname, search } = new URL(c.req.url);
    const body = Buffer.from(await c.req.arrayBuffer());
    const header = (name: string) => c.req.header(name) ?? "";
    const problem = signer.problem(c.req.method, pathname + search, body, header("x-internal-time"), header("x-internal-signature"));
    return problem === null ? next() : c.text(problem, 401);
  };
}
