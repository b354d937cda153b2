import type { Digest } from "../../../domain/digest.ts";
import type { Budgets } from "../../../domain/budgets.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { TransferError, toTransferError } from "../../../domain/failure.ts";
import { type Referrer, readReferrers } from "../../../domain/image/manifest.ts";
import type { HttpResponse } from "../http-message.ts";
import type { Access } from "./access.ts";
import type { RegistryClient, RegistryRequest } from "./client.ts";
import { nextCursor, readCursor, type Subject } from "../progress.ts";
import { linkQuery } from "./link.ts";
import { manifestLabel } from "./manifest-digest.ts";
import { type Manners, REFUSALS, type Told } from "./told.ts";

/**
 * Letters of the entries of one list, and of all lists of an image: they are held in memory together, with their
 * annotations.
 */
export const MOST_HELD = 16 * 1024 * 1024;
const ADVICE = "delete attachments that are not needed";
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/**
 * Statuses that are taken for those of a registry without the referrers API; one that has the API must not
 * answer 404 (distribution-spec, "Listing Referrers").
 */
const UNSUPPORTED: readonly number[] = [400, 404, 405, 501];

/** `letters`: those of the entries, as `lettersOf` counts them. */
export type Count = (listed: readonly Referrer[], letters: number) => void;

export type Referrers = {
  /**
   * Lists what is attached to `subject`. Null when the registry refuses to tell, or does not support the referrers
   * API; the latter is remembered, and the API is not requested again. Throws `invalid` for a list without end.
   * `count` gets the entries of each page, and ends the list when it throws.
   */
  listReferrers: (
    name: string,
    subject: Digest,
    signal?: AbortSignal,
    count?: Count,
  ) => Promise<Referrer[] | null>;
};

export function createReferrers(
  client: RegistryClient,
  access: Access,
  manners: Manners,
  budgets: Budgets,
): Referrers {
  let unsupported = false;

  async function list(
    name: string,
    subject: Digest,
    signal: AbortSignal | undefined,
    count: Count,
  ): Promise<Told<Referrer[]>> {
    const path = `${access.path(name)}/referrers/${subject}`;
    const what = `attachments of ${manifestLabel(name, subject)}`;
    const listing: Subject = {
      what,
      host: client.origin.host,
      advice: ADVICE,
      most: "maxTags",
      budgets,
    };
    const found: Referrer[] = [];
    let held = 0;
    let cursor: string | null = null;
    let query: string | null = "";
    while (query !== null) {
      const response = await ask(client, {
        method: "GET",
        to: path + query,
        what,
        scopes: access.pull(name),
        signal,
      });
      if (response instanceof TransferError) return { kind: "untold", refusal: response };
      const isRefused = response.status >= 400 && !UNSUPPORTED.includes(response.status);
      if (isRefused) return { kind: "untold", refusal: await response.failure() };
      const listed =
        response.status === 200
          ? readReferrers(await response.json(LIMITS.manifest, ADVICE))
          : null;
      if (listed === null) return response.discard().then(() => ({ kind: "absent" }));
      const letters = lettersOf(listed);
      count(listed, letters);
      found.push(...listed);
      held += letters;
      if (held > MOST_HELD) throw tooMuch(what, client.origin.host);
      const next = linkQuery(response);
      query = next === query ? null : next;
      if (query === null) break;
      const { progress } = readCursor(cursor);
      const digests = listed.map(({ digest }) => digest);
      cursor = nextCursor(progress, digests, query, listing);
    }
    return { kind: "there", value: found };
  }

  return {
    async listReferrers(name, subject, signal, count = () => {}) {
      if (unsupported) return null;
      const told = await manners.ask("referrers", () =>
        list(name, subject, signal, count),
      );
      unsupported ||= told.kind === "absent";
      return told.kind === "there" ? told.value : null;
    },
  };
}

export const lettersOf = (listed: readonly Referrer[]): number =>
  JSON.stringify(listed.map(({ json }) => json)).length;

/**
 * Sends a request and returns the answer, also a permanent refusal. If the request is redirected and fails at
 * the new URL (perhaps unreachable), returns that failure, unless a signal stopped the request. Throws all
 * other failures.
 */
async function ask(
  client: RegistryClient,
  request: RegistryRequest,
): Promise<HttpResponse | TransferError> {
  const response = await client.request({
    ...request,
    accept: [...REFUSALS, ...REDIRECTS],
  });
  if (!REDIRECTS.includes(response.status)) return response;
  await response.discard();
  return client.request({ ...request, accept: REFUSALS }).catch((error: unknown) => {
    const failure = toTransferError(error);
    if (failure.isPutOff) throw failure;
    return failure;
  });
}

const tooMuch = (what: string, host: string): TransferError =>
  new TransferError(
    "invalid",
    `${what}: the list of ${host} has more than the ${MOST_HELD} bytes that are accepted: ${ADVICE}`,
  );
