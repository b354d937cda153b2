import type { TransferError } from "../../../domain/failure.ts";
import { answering, attempt, hurried, noLogin, NOT_TRIED } from "../check.ts";
import type { Answer, Check } from "../../../domain/check.ts";
import { unlessAborted } from "../unless-aborted.ts";
import {
  accepted,
  answered,
  EVERYTHING_EXISTS,
  isDoubtful,
  isRegistry,
  mayNotPush,
  maybePush,
  mayPush,
  takesNothing,
  WITHOUT_LOCATION,
} from "./check-words.ts";
import { type Checking, loginFailure, otherProduct } from "./checking.ts";
import { askImpossible, beginUpload, logIn, PROBE_NAME } from "./probe.ts";

/** A refused upload. `status`: that of the answer, null when no answer came or no token was had for the request. */
type Refused = { status: number | null; marked: boolean; refusal: TransferError };

/**
 * Checks a registry as a target: begins an upload and gives it up. Only when that fails, further questions find out
 * which step it was. `name`: a repository to which a run will push; null: one that only this check uses.
 */
export async function checkWriting(
  checking: Checking,
  name: string | null,
): Promise<Check> {
  const { host, given, access, uploads, signal } = checking;
  const probed = name ?? PROBE_NAME;
  const begun = await attempt(() => beginUpload(checking, probed, signal), signal);
  if (begun.error?.kind === "throttled") return hurried(host);
  if (begun.error)
    return diagnose(checking, name, {
      status: null,
      marked: false,
      refusal: begun.error,
    });
  const { location, refusal } = begun.value;
  if (refusal !== null) return diagnose(checking, name, { ...begun.value, refusal });
  if (location === null) return otherProduct(host, WITHOUT_LOCATION);
  const session = { location, offset: 0, minChunk: 0 };
  await unlessAborted(uploads.cancelUpload(probed, session), signal).catch(() => null);
  return {
    reachable: answering(host),
    product: isRegistry(host),
    authenticated: accepted(host, given),
    allowed: mayPush(access.path(probed)),
  };
}

/** Finds out which step failed after an upload could not be begun. */
async function diagnose(
  checking: Checking,
  name: string | null,
  refused: Refused,
): Promise<Check> {
  const { host, greeting, signal } = checking;
  const reachable = answering(host);
  const login = await attempt(() => logIn(checking, signal), signal);
  const failed = loginFailure(checking, login.error);
  const refusedBy = (product: Answer, authenticated: Answer): Check => ({
    reachable,
    product,
    authenticated,
    allowed: NOT_TRIED,
  });
  // Servers delay wrong logins, and may lock a user out after some of them.
  if (failed !== null && (greeting.marked || refused.marked))
    return refusedBy(isRegistry(host), failed);
  const impossible = await attempt(
    () => askImpossible(checking, name ?? PROBE_NAME, signal),
    signal,
  );
  if (impossible.value?.refusal === null) return otherProduct(host, EVERYTHING_EXISTS);
  const isKnown = greeting.marked || refused.marked || impossible.value?.marked === true;
  if (!isKnown && failed === null && refused.status !== null)
    return otherProduct(host, answered(refused.status));
  const product = isKnown ? isRegistry(host) : isDoubtful(host);
  if (failed !== null) return refusedBy(product, failed);
  const isCertain = name !== null || checking.namespace !== "";
  return { reachable, product, ...permission(checking, name, refused, isCertain) };
}

/**
 * The last two steps, for a registry that accepts the login for `/v2/`. `isCertain`: what is refused for the
 * tested name is refused for those of a run.
 */
function permission(
  { host, given, greeting, access }: Checking,
  name: string | null,
  { refusal }: Refused,
  isCertain: boolean,
): Pick<Check, "authenticated" | "allowed"> {
  const isRefused = refusal.kind === "auth";
  if (isRefused && given === "none" && (isCertain || greeting.demandsLogin))
    return { authenticated: noLogin(host), allowed: NOT_TRIED };
  const full = access.path(name ?? PROBE_NAME);
  const allowed: Answer =
    isRefused && isCertain
      ? mayNotPush(host, full, refusal)
      : isForAll(refusal)
        ? takesNothing(host, refusal)
        : maybePush(host, full, refusal);
  return { authenticated: accepted(host, given), allowed };
}

/** Whether a refusal has nothing to do with the name: the registry takes no uploads, or none now. */
const isForAll = ({ retryable, kind, codes = [] }: TransferError): boolean =>
  retryable ||
  kind === "noSpace" ||
  kind === "unsupported" ||
  codes.includes("UNSUPPORTED");
