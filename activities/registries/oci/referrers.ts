import type { Digest } from "../../../domain/digest.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import { linkQuery } from "./link.ts";
import { parseIndex, type Descriptor } from "./manifest.ts";
import { MANIFEST_LIMIT, manifestLabel } from "./manifests.ts";

const MOST_PAGES = 100;
/** How registries say that they have no referrers API; one that has it never answers 404 (distribution-spec, "Listing Referrers"). */
const UNSUPPORTED = [400, 404, 405, 501];

export type Referrers = {
  /** What the referrers API lists for `subject`; null when the registry has no such API, which is then remembered. */
  listReferrers: (name: string, subject: Digest, signal?: AbortSignal) => Promise<Descriptor[] | null>;
};

export function createReferrers(client: RegistryClient, access: Access): Referrers {
  let unsupported = false;
  return {
    async listReferrers(name, subject, signal) {
      if (unsupported) return null;
      const path = `${access.path(name)}/referrers/${subject}`;
      const what = `what is attached to ${manifestLabel(name, subject)}`;
      const found: Descriptor[] = [];
      let query: string | null = "";
      for (let page = 0; query !== null && page < MOST_PAGES; page += 1) {
        const response = await client.request({ method: "GET", to: path + query, what, scopes: access.pull(name), accept: UNSUPPORTED, signal });
        const body = await response.bytes(MANIFEST_LIMIT);
        const list = response.status === 200 ? parseIndex(body, what) : null;
        if (list === null) {
          unsupported = true;
          return null;
        }
        found.push(...list);
        const next = linkQuery(response);
        query = next === query ? null : next;
      }
      return found;
    },
  };
}
