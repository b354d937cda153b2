/**
 * A kind of run that can be under way during an upgrade: its workflow `type`, and the features that its history has
 * and lacks.
 */
type Required = { type: string; has: string[]; lacks?: string[] };

/** Every kind of run that the code can produce, by name. A new kind must be added here and as a scene of record.ts. */
export const REQUIRED: Record<string, Required> = {
  "a run of hosted objects": {
    type: "taskRun",
    has: ["planAllHosted", "child: files", "closeRun", "completed"],
    lacks: ["readUnlisted", "readTargets", "child: images"],
  },
  "a run of linked objects": {
    type: "taskRun",
    has: ["listPages", "readTargets", "child: images", "completed"],
    lacks: ["readUnlisted", "child: files"],
  },
  "a run of more linked objects than its plan returns": {
    type: "taskRun",
    has: ["readUnlisted", "listPages"],
  },
  "a run of hosted and of linked objects": {
    type: "taskRun",
    has: ["listPages", "child: files", "child: images"],
  },
  "a run with one child for all objects": {
    type: "taskRun",
    has: ["child: several objects"],
  },
  "a run whose listing is put off": { type: "taskRun", has: ["listPages", "timer"] },
  "a run with an object that cannot be listed": {
    type: "taskRun",
    has: ["failListing", "activity failed"],
  },
  "a run that goes on as new from its plan": {
    type: "taskRun",
    has: ["listPages", "goes on as new"],
    lacks: ["child"],
  },
  "a run that goes on as new from sending": {
    type: "taskRun",
    has: ["child: several objects", "goes on as new"],
  },
  "a run that has gone on as new from sending": {
    type: "taskRun",
    has: ["has sent some", "closeRun"],
  },
  "a run that is stopped": { type: "taskRun", has: ["cancelled", "child", "closeRun"] },
  "a run that breaks off": {
    type: "taskRun",
    has: ["child broke", "closeRun", "failed"],
  },
  "a run that fails": {
    type: "taskRun",
    has: ["closeRun", "failed"],
    lacks: ["child broke", "cancelled"],
  },
  "a firing": { type: "taskRun", has: ["fired", "beginRun: go", "closeRun"] },
  "a firing that finds a run": { type: "taskRun", has: ["fired", "beginRun: busy"] },
  "a firing that is too late": { type: "taskRun", has: ["fired", "beginRun: missed"] },
  "a firing whose task has changed": {
    type: "taskRun",
    has: ["fired", "beginRun: stale"],
  },

  "a window of images": {
    type: "targetRun",
    has: ["images", "transferBatch", "completed"],
  },
  "a window of files": {
    type: "targetRun",
    has: ["files", "transferBatch", "completed"],
  },
  "a window over several objects": {
    type: "targetRun",
    has: ["several objects", "transferBatch"],
  },
  "images that go on as new": { type: "targetRun", has: ["images", "goes on as new"] },
  "files that go on as new": { type: "targetRun", has: ["files", "goes on as new"] },
  "artifacts that wait for a retry": { type: "targetRun", has: ["again", "timer"] },
  "a timer that another event precedes": { type: "targetRun", has: ["timer cancelled"] },
  "a probe": { type: "targetRun", has: ["again", "probes"] },
  "a batch over which workers died": {
    type: "targetRun",
    has: ["activity failed", "isolateBatch", "splitBatch"],
  },
  "a failure": { type: "targetRun", has: ["some failed"] },
  "a window that is stopped": { type: "targetRun", has: ["cancelled", "transferBatch"] },
  "a window that gets the signal more": { type: "targetRun", has: ["signal more"] },

  "a drain that begins with its first batches": {
    type: "realTimeRun",
    has: ["beginDrain: drain", "transferBatch"],
  },
  "a drain with children": { type: "realTimeRun", has: ["beginDrain: drain", "child"] },
  "a drain that grows": { type: "realTimeRun", has: ["growDrain"] },
  "a drain that signals a child": {
    type: "realTimeRun",
    has: ["growDrain", "signals a child"],
  },
  "a drain that catches up": {
    type: "realTimeRun",
    has: ["planDrain", "readTargets", "child"],
  },
  "a drain that is stopped": { type: "realTimeRun", has: ["cancelled", "closeRun"] },
  "a follower that goes on as new": { type: "realTimeRun", has: ["goes on as new"] },
  "a follower that waits": { type: "realTimeRun", has: ["beginDrain: idle", "timer"] },
  "a follower that ends in silence": {
    type: "realTimeRun",
    has: ["beginDrain: idle", "completed"],
    lacks: ["beginDrain: gone"],
  },
  "a follower whose task is gone": {
    type: "realTimeRun",
    has: ["beginDrain: gone", "completed"],
  },
};

/** Activities that only runs of earlier releases request, so new histories lack them. */
export const RETIRED = ["planHosted", "failBatch"];
