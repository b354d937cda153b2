import { Hono } from "hono";
import type { Sealer } from "../../activities/secrets/seal.ts";
import type { Db } from "../../db/open.ts";
import { listingRequest, takeListingFailure, takePage } from "../../db/plan/listed.ts";
import type { Lane } from "../../domain/lanes.ts";
import { nextTry } from "../../domain/retry.ts";
import type { ListedArtifact, ListingAnswer } from "../../domain/worker-messages.ts";
import type { Env } from "../deps.ts";
import { sharedOf } from "./auth.ts";
import { sealedTo } from "./credentials.ts";

/** `note` records how long an end took to answer (`waitMs` in ms); `isSlow` returns whether an end is slow. */
export type Pacing = {
  note: (end: string, waitMs: number) => void;
  isSlow: (end: string) => boolean;
};
/**
 * Limits how many workers list linked repositories at a time. `begin` returns null to allow a
 * listing, else the time (epoch ms) to ask again. `key` names the listed object of a run.
 */
export type Listings = {
  begin: (source: string, key: string) => number | null;
  alive: (key: string) => void;
  end: (key: string) => void;
};

type ListingDeps = {
  db: Db;
  sealer: Sealer;
  retryWindow: number;
  now: () => number;
  paces: Pacing;
  listings: Listings;
};

type Failure = { reason: string; retryable: boolean; notBefore: number | null };

/** Serves the workers that list linked repositories; mounted at /internal/v1/listings. */
export function listingRoutes({
  db,
  sealer,
  retryWindow,
  now,
  paces,
  listings,
}: ListingDeps): Hono<Env> {
  return new Hono<Env>()
    .post("/:recordId/:object", async (c) => {
      const { recordId, object } = c.req.param();
      const { waitMs = null, lane = "SHARED" } = await c.req.json<{
        waitMs?: number | null;
        lane?: Lane;
      }>();
      const answer = listingRequest(db, recordId, Number(object));
      if (answer.kind !== "list") return c.json(answer);
      const source = `${answer.projectId}/${answer.object.localRepoName}`;
      if (waitMs !== null) paces.note(source, waitMs);
      // A slow source is not listed in the lane QUICK; the listing is moved to another lane.
      if (lane === "QUICK" && paces.isSlow(source))
        return c.json({ kind: "later", retryAt: null } satisfies ListingAnswer);
      const retryAt =
        lane === "QUICK" ? null : listings.begin(source, `${recordId}/${object}`);
      if (retryAt !== null)
        return c.json({ kind: "later", retryAt } satisfies ListingAnswer);
      const from = sealedTo(sharedOf(c).sealer, sealer, answer.source);
      return c.json({ ...answer, source: from } satisfies ListingAnswer);
    })
    .post("/:recordId/:object/waits", async (c) => {
      const { recordId, object } = c.req.param();
      const { waitMs } = await c.req.json<{ waitMs: number | null }>();
      const answer = listingRequest(db, recordId, Number(object));
      if (answer.kind === "list" && waitMs !== null)
        paces.note(`${answer.projectId}/${answer.object.localRepoName}`, waitMs);
      listings.alive(`${recordId}/${object}`);
      return c.json({ noted: true });
    })
    .post("/:recordId/:object/end", (c) => {
      const { recordId, object } = c.req.param();
      listings.end(`${recordId}/${object}`);
      return c.json({ ended: true });
    })
    .post("/:recordId/:object/pages/:page", async (c) => {
      const { recordId, object, page } = c.req.param();
      const body = await c.req.json<{
        artifacts: ListedArtifact[];
        next: string | null;
      }>();
      takePage(db, recordId, Number(object), Number(page), body.artifacts, body.next);
      return c.json({ taken: true });
    })
    .post("/:recordId/:object/failure", async (c) => {
      const { recordId, object } = c.req.param();
      const failure = await c.req.json<Failure>();
      const retry = (first: number, tries: number, notBefore: number | null) =>
        nextTry(now(), retryWindow, first, tries, notBefore);
      return c.json({
        retryAt: takeListingFailure(db, recordId, Number(object), failure, retry, now()),
      });
    });
}
