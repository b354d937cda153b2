import type { MiddlewareHandler } from "hono";
import type { InternalSigner } from "../../activities/secrets/internal.ts";
import type { Workers } from "./workers.ts";

/**
 * HTTP status of each reason to refuse a worker. A worker that speaks another protocol must upgrade
 * (RFC 9110 §15.5.22).
 */
const STATUS = { key: 401, clock: 401, protocol: 426 } as const;

/**
 * Admits only requests that are signed with the instance's secret key; a login does not count here.
 * Notes which workers were admitted and which were refused.
 */
export function internalAuth(
  signer: InternalSigner,
  workers: Pick<Workers, "seen" | "refused">,
): MiddlewareHandler {
  return async (c, next) => {
    const { pathname, search } = new URL(c.req.url);
    const body = Buffer.from(await c.req.arrayBuffer());
    const header = (name: string) => c.req.header(name) ?? "";
    const worker = header("x-internal-worker");
    const problem = signer.problem({
      method: c.req.method,
      path: pathname + search,
      body,
      header,
    });
    if (problem === null) {
      workers.seen(worker);
      return next();
    }
    workers.refused(problem, worker);
    return c.text(problem.message, STATUS[problem.refusal], {
      "x-refused": problem.refusal,
    });
  };
}
