import {
  answering,
  attempt,
  hurried,
  NOT_TRIED,
  NOTHING_TRIED,
  refusedLogin,
  unreached,
} from "../check.ts";
import type { Check, CheckUse } from "../../../domain/check.ts";
import { checkReading } from "./check-reading.ts";
import { accepted, isDoubtful, isRegistry } from "./check-words.ts";
import { checkWriting } from "./check-writing.ts";
import type { Checking } from "./checking.ts";
import { askToContinue, greet, logIn, PROBE_NAME } from "./probe.ts";

/** `name`: the repository to read or write; null: list the catalog, or write below the namespace of the url. */
export type CheckScope = { name: string | null; use: CheckUse };

/**
 * Checks whether a registry is reachable, is one, accepts the login and allows what `scope` names; throws only when
 * `signal` fires.
 */
export async function checkRegistry(
  known: Omit<Checking, "greeting" | "host" | "signal">,
  { name, use }: CheckScope,
  signal?: AbortSignal,
): Promise<Check> {
  const { host } = known.client.origin;
  const greeted = await attempt(() => greet(known, signal), signal);
  if (greeted.error?.kind === "throttled") return hurried(host);
  if (greeted.error)
    return { ...NOTHING_TRIED, reachable: unreached(host, greeted.error) };
  const checking = { ...known, host, signal, greeting: greeted.value };
  if (use === "GLANCE" || use === "LOGIN") return glance(checking, use);
  return use === "WRITE" ? checkWriting(checking, name) : checkReading(checking, name);
}

/**
 * Checks whether a registry still greets, accepts the login and, for GLANCE, lets it push. A refused login is the
 * result; where anything else is not as it was, the whole check finds out which step failed.
 */
async function glance(checking: Checking, use: "GLANCE" | "LOGIN"): Promise<Check> {
  const { host, given, greeting, signal } = checking;
  const reachable = answering(host);
  const login = await attempt(() => logIn(checking, signal), signal);
  if (login.error?.kind === "auth")
    return {
      ...NOTHING_TRIED,
      reachable,
      product: greeting.marked ? isRegistry(host) : isDoubtful(host),
      authenticated: refusedLogin(host, given, login.error),
    };
  const isLikeBefore =
    login.value?.status === 200 &&
    !login.value.page &&
    (use === "LOGIN" || (await mayContinue(checking)));
  return isLikeBefore
    ? {
        reachable,
        product: isRegistry(host),
        authenticated: accepted(host, given),
        allowed: NOT_TRIED,
      }
    : { ...NOTHING_TRIED, reachable, product: isDoubtful(host) };
}

async function mayContinue(checking: Checking): Promise<boolean> {
  const { signal } = checking;
  const push = await attempt(() => askToContinue(checking, PROBE_NAME, signal), signal);
  return (push.error ?? push.value.refusal)?.kind !== "auth";
}
