import type { Lane } from "../../domain/lanes.ts";
import { weightOf } from "../../domain/weight.ts";
import type { RunSnapshot } from "../../domain/task.ts";

/**
 * A request for up to `most` batches of the objects from `object` up to, but not including,
 * `objectsEnd` (default: one object).
 */
export type CutRequest = {
  recordId: string;
  object: number;
  objectsEnd?: number;
  clusterId: string;
  cut: number;
  most: number;
};
/** A dispatched batch; `lane`: the slots that it goes to (absent: SHARED). */
export type Batch = { number: number; summary: string; lane?: Lane };
/**
 * The result of a cut. `left`: something remains to be cut, now or later; `due`: when the first
 * waiting artifact may be tried again (epoch ms), null: something can be cut now, or nothing is
 * left. `reason`: why the artifacts that are due then have to wait.
 */
export type Cut = {
  batches: Batch[];
  left: boolean;
  due: number | null;
  reason?: string;
};
/** A cut in progress. */
export type Cutting = Required<CutRequest> & { now: number; snapshot: RunSnapshot };

/**
 * Returns the linked repository that an object is read from, as `project/repository`; null for a
 * hosted one. A linked repository counts as an end beside the cluster, because it can be slow too.
 */
export function sourceOf(
  { projectId, objects }: RunSnapshot,
  objectIndex: number,
): string | null {
  const from = objects[objectIndex];
  return from?.category === "REMOTE" ? `${projectId}/${from.localRepoName}` : null;
}

/**
 * Whether an artifact of the object takes many requests at the cluster; of light ones, a single
 * request takes hundreds.
 */
export function isHeavy(
  { objects, clusters }: RunSnapshot,
  objectIndex: number,
  clusterId: string,
): boolean {
  const [from, to] = [objects[objectIndex], clusters.find(({ id }) => id === clusterId)];
  return from !== undefined && weightOf(from.repoType, to?.type) === "heavy";
}
