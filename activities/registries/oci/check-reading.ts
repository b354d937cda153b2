import { answering, attempt, hurried, NOT_TRIED } from "../check.ts";
import type { Answer, Check } from "../../../domain/check.ts";
import {
  accepted,
  anonymous,
  EVERYTHING_EXISTS,
  greeted,
  isDoubtful,
  isRegistry,
  MAY_LIST,
  mayNotRead,
  mayPull,
} from "./check-words.ts";
import { type Checking, loginFailure, otherProduct } from "./checking.ts";
import { askImpossible, logIn, PROBE_NAME, type Told } from "./probe.ts";

/** Checks a registry as a source. `name`: the repository to pull from; null: the list of repositories is read. */
export async function checkReading(
  checking: Checking,
  name: string | null,
): Promise<Check> {
  const { host, greeting, signal } = checking;
  const impossible = await attempt(
    () => askImpossible(checking, name ?? PROBE_NAME, signal),
    signal,
  );
  if (impossible.error?.kind === "throttled") return hurried(host);
  if (impossible.value?.refusal === null) return otherProduct(host, EVERYTHING_EXISTS);
  const isKnown = greeting.marked || impossible.value?.marked === true;
  const isOther = greeting.page || (greeting.status >= 400 && !greeting.demandsLogin);
  if (!isKnown && isOther) return otherProduct(host, greeted(greeting.status));

  const authenticated = await logInForReading(checking, impossible.value);
  return {
    reachable: answering(host),
    product: isKnown ? isRegistry(host) : isDoubtful(host),
    authenticated,
    allowed: authenticated.ok === false ? NOT_TRIED : await mayRead(checking, name),
  };
}

async function logInForReading(
  checking: Checking,
  impossible: Told | undefined,
): Promise<Answer> {
  const { host, given, greeting, signal } = checking;
  const login = await attempt(() => logIn(checking, signal), signal);
  const readsAnonymously =
    given === "none" && greeting.grants && impossible?.refusal?.kind === "notFound";
  if (login.error && readsAnonymously) return anonymous(host);
  return loginFailure(checking, login.error) ?? accepted(host, given);
}

async function mayRead(
  { host, client, access, signal }: Checking,
  name: string | null,
): Promise<Answer> {
  const { error } = await attempt(async () => {
    const response = await client.request({
      method: "GET",
      to: name === null ? "_catalog?n=1" : `${access.path(name)}/tags/list?n=1`,
      what: name === null ? "list of repositories" : `tags of ${name}`,
      scopes: name === null ? ["registry:catalog:*"] : access.pull(name),
      signal,
    });
    await response.discard();
  }, signal);
  if (error?.kind === "throttled") return hurried(host).allowed;
  if (error) return mayNotRead(host, error);
  return name === null ? MAY_LIST : mayPull(name);
}
