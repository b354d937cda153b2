import { factsOf, type Unit } from "./repository-types.ts";
import type { ClusterType, RepositoryType } from "./vocabulary.ts";

/** How much an artifact asks of an end: many requests, or a share of one that takes hundreds. */
export type Weight = "heavy" | "light";

/**
 * Another instance takes many artifacts at once, but images, which are pushed one by one, as everything is to a
 * registry.
 */
const AT_INSTANCES = { file: "light", version: "light", image: "heavy" } as const satisfies Record<Unit, Weight>;

/** `to`: undefined where the cluster is gone. */
export const weightOf = (type: RepositoryType, to: ClusterType | undefined): Weight =>
  to === "REMOTE" ? "heavy" : AT_INSTANCES[factsOf(type).unit];
