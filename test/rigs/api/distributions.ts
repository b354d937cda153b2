import { INSTANCE } from "./api-task-fixture.ts";

/** Where distributions are created, listed and changed. */
export const AT = "/replication/api/remote/distribution";
export const SETTING = {
  rateLimit: 0,
  includeMetadata: true,
  conflictStrategy: "SKIP",
  errorStrategy: "CONTINUE",
  executionStrategy: "IMMEDIATELY",
  executionPlan: { executeImmediately: true },
};
/** A distribution as in the API documentation, with an address of a registry that is valid. */
export const TO_REGISTRY = {
  name: "mirrors",
  registry: "127.0.0.1:5000/mirror",
  username: "robot",
  password: "hush-hush",
  packageConstraints: [],
  pathConstraints: [],
  replicaType: "REAL_TIME",
  setting: SETTING,
  enable: true,
  description: "test replica task",
};
/** A distribution to the instance that `createTaskApi` registers. */
export const TO_CLUSTER = {
  ...TO_REGISTRY,
  registry: undefined,
  username: undefined,
  password: undefined,
  clusterId: INSTANCE,
  remoteProjectId: "xxxx",
  remoteRepoName: "xxxx",
};
