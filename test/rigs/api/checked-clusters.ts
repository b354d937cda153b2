import type { ClusterAccess } from "../../../api/deps.ts";
import { text } from "../../../domain/text.ts";
import { createTestApi } from "./api-fixture.ts";

export const CLUSTER = "/replication/api/cluster";

/** The body of a cluster of type REMOTE. */
export const HUB = {
  name: "hub",
  type: "REMOTE",
  url: "https://registry.example/mirror",
  username: "u",
  password: "s3cret",
};

/**
 * Starts an API whose connection tests note in `tried` what they were given, and fail with
 * `check.problem` unless that is null.
 */
export function createCheckedApi() {
  const tried: ClusterAccess[] = [];
  const check: { problem: string | null } = { problem: null };
  const api = createTestApi({
    checkCluster: async (access) => {
      tried.push(access);
      return check.problem === null
        ? null
        : { reason: text(check.problem, check.problem), refused: false };
    },
  });
  return { api, tried, check };
}
