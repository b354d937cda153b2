import type { Lane } from "../../domain/lanes.ts";
import { weightOf } from "../../domain/weight.ts";
import type { RunSnapshot } from "../../domain/task.ts";

/** The objects from `object` up to, without, `objectsEnd` (one, where it is not given); `most` batches at most. */
export type CutRequest = {
  recordId: string;
  object: number;
  objectsEnd?: number;
  clusterId: string;
  cut: number;
  most: number;
};
/** `lane`: the slots that it goes to; absent: SHARED. */
export type Batch = { number: number; summary: string; lane?: Lane };
/**
 * `left`: something remains to be cut, now or later; `due`: when the earliest artifact that waits may be tried again
 * (epoch ms).
 */
export type Cut = { batches: Batch[]; left: boolean; due: number | null };
/** A cut as it is made. */
export type Cutting = Required<CutRequest> & { now: number; snapshot: RunSnapshot };

/** The linked repository that an object is read from, which may be slow by itself; null where it is hosted here. */
export function sourceOf({ projectId, objects }: RunSnapshot, object: number): string | null {
  const from = objects[object];
  return from?.category === "REMOTE" ? `${projectId}/${from.localRepoName}` : null;
}

/** Whether an artifact of the object is many requests at the cluster; of the others, one request takes hundreds. */
export function isHeavy({ objects, clusters }: RunSnapshot, object: number, clusterId: string): boolean {
  const [from, to] = [objects[object], clusters.find(({ id }) => id === clusterId)];
  return from !== undefined && weightOf(from.repoType, to?.type) === "heavy";
}
