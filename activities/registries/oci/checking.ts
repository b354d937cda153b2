import type { TransferError } from "../../../domain/failure.ts";
import type { Text } from "../../../domain/text.ts";
import { answering, NOTHING_TRIED, refusedLogin } from "../check.ts";
import type { Answer, Check } from "../../../domain/check.ts";
import type { GivenLogin } from "../login.ts";
import { brokenLogin, isOther } from "./check-words.ts";
import type { Greeting, Tested } from "./probe.ts";
import type { Uploads } from "./uploads.ts";

/** What the steps of a check know of the registry; `signal` stops them. */
export type Checking = Tested & {
  host: string;
  given: GivenLogin;
  /** The path of the url, below which every name is; "" for none. */
  namespace: string;
  uploads: Uploads;
  greeting: Greeting;
  signal: AbortSignal | undefined;
};

/** The answer about a login whose use for `/v2/` failed with `error`; null where that says nothing. */
export function loginFailure(
  { host, given }: Checking,
  error: TransferError | undefined,
): Answer | null {
  if (error?.kind === "auth") return refusedLogin(host, given, error);
  return error?.kind === "invalid" ? brokenLogin(host, error) : null;
}

/** The result for a server that is not an image registry; `found` says what gave it away. */
export const otherProduct = (host: string, found: Text): Check => ({
  ...NOTHING_TRIED,
  reachable: answering(host),
  product: isOther(host, found),
});
