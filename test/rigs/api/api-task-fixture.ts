import { expect } from "vitest";
import type { Wait } from "../../../domain/waiting.ts";
import { createTestApi } from "./api-fixture.ts";
import { addCluster, addRepository } from "../db/rows.ts";

export const TASK = "/replication/api/task";
export const INSTANCE = "1".repeat(24);
export const REGISTRY = "2".repeat(24);
export const FILES = {
  localRepoName: "files",
  remoteProjectId: "p",
  remoteRepoName: "files",
  repoType: "GENERIC",
};
export const MAVEN = { localRepoName: "maven", repoType: "MAVEN" };
export const IMAGES = { localRepoName: "images", repoType: "DOCKER" };

export type Changes = Record<string, unknown>;
export type Info = Record<string, unknown> & { key: string; name: string };

/** Returns the setting of a task with this execution strategy and plan. */
export const planned = (executionStrategy: string, executionPlan: object) => ({
  setting: { executionStrategy, executionPlan },
});

export function taskBody(changes: Changes = {}): Changes {
  return {
    name: "nightly",
    localProjectId: "p",
    replicaObjectType: "REPOSITORY",
    replicaTaskObjects: [FILES],
    setting: { executionPlan: { executeImmediately: true } },
    remoteClusterIds: [INSTANCE],
    ...changes,
  };
}

/**
 * Creates the API with project p, several repositories, an instance and a registry; `time` (epoch ms)
 * is its clock.
 */
export function createTaskApi() {
  const time = { now: Date.parse("2030-01-01T00:00:00Z") };
  const away: Wait[] = [];
  const api = createTestApi({ now: () => time.now, away: () => away });
  addRepository(api.db, "p", "files", "GENERIC");
  addRepository(api.db, "p", "maven", "MAVEN");
  addRepository(api.db, "p", "images", "DOCKER", "REMOTE");
  addRepository(api.db, "p", "helm", "HELM", "REMOTE");
  addCluster(api.db, "shanghai", "STANDALONE", INSTANCE);
  addCluster(api.db, "hub", "REMOTE", REGISTRY);

  const create = (changes: Changes = {}) =>
    api.call("POST", `${TASK}/create`, { body: taskBody(changes) });
  async function created(changes: Changes = {}): Promise<Info> {
    const answer = await create(changes);
    expect(answer.message).toBeNull();
    return answer.data as Info;
  }
  const info = async (key: string) =>
    (await api.call("GET", `${TASK}/info/${key}`)).data as Info;
  return { ...api, time, away, create, created, info };
}

export type TaskApi = ReturnType<typeof createTaskApi>;
