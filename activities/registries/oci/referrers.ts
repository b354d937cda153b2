import type { Digest } from "../../../domain/digest.ts";
import { TransferError, toTransferError } from "../../../domain/failure.ts";
import { type Descriptor, readReferrers } from "../../../domain/image/manifest.ts";
import type { HttpResponse } from "../http-message.ts";
import type { Access } from "./access.ts";
import type { RegistryClient, RegistryRequest } from "./client.ts";
import { linkQuery } from "./link.ts";
import { MANIFEST_LIMIT, manifestLabel } from "./manifest-digest.ts";
import { type Manners, REFUSALS, type Told } from "./told.ts";

const MOST_PAGES = 100;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/**
 * Statuses that are taken for those of a registry without the referrers API; one that has the API must not
 * answer 404 (distribution-spec, "Listing Referrers").
 */
const UNSUPPORTED: readonly number[] = [400, 404, 405, 501];

export type Referrers = {
  /**
   * Lists what is attached to `subject`, as far as the first 100 pages of the registry tell. Null when the
   * registry refuses to tell, or does not support the referrers API; the latter is remembered, and the API is
   * not requested again.
   */
  listReferrers: (
    name: string,
    subject: Digest,
    signal?: AbortSignal,
  ) => Promise<Descriptor[] | null>;
};

export function createReferrers(
  client: RegistryClient,
  access: Access,
  manners: Manners,
): Referrers {
  let unsupported = false;

  async function list(
    name: string,
    subject: Digest,
    signal: AbortSignal | undefined,
  ): Promise<Told<Descriptor[]>> {
    const path = `${access.path(name)}/referrers/${subject}`;
    const what = `attachments of ${manifestLabel(name, subject)}`;
    const found: Descriptor[] = [];
    let query: string | null = "";
    for (let page = 0; query !== null && page < MOST_PAGES; page += 1) {
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
          ? readReferrers(await response.bytes(MANIFEST_LIMIT))
          : null;
      if (listed === null) return response.discard().then(() => ({ kind: "absent" }));
      found.push(...listed);
      const next = linkQuery(response);
      query = next === query ? null : next;
    }
    return { kind: "there", value: found };
  }

  return {
    async listReferrers(name, subject, signal) {
      if (unsupported) return null;
      const told = await manners.ask("referrers", () => list(name, subject, signal));
      unsupported ||= told.kind === "absent";
      return told.kind === "there" ? told.value : null;
    },
  };
}

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
