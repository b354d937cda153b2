import { factsOf, type Unit } from "./repository-types.ts";
import type { ClusterType, RepositoryType } from "./vocabulary.ts";

/**
 * The work that an artifact is for its target: many requests (heavy), or a share of one request for
 * hundreds of artifacts (light).
 */
type Weight = "heavy" | "light";

/**
 * Weights at another instance: it receives many artifacts in one request, except images, which are pushed
 * one by one. A registry receives everything one by one.
 */
const AT_INSTANCES = {
  file: "light",
  version: "light",
  image: "heavy",
} as const satisfies Record<Unit, Weight>;

/** Returns the weight of an artifact; `to` undefined (the cluster no longer exists) counts as an instance. */
export const weightOf = (type: RepositoryType, to: ClusterType | undefined): Weight =>
  to === "REMOTE" ? "heavy" : AT_INSTANCES[factsOf(type).unit];
