import { text, type Text } from "../text.ts";
import { ACCESS_RULES, type GivenAccess } from "./cluster.ts";
import { isGiven, type Rule, unused } from "./rules.ts";

type GivenDestination = GivenAccess & {
  clusterId?: string | null;
  registry?: string | null;
  protocol?: string | null | undefined;
};

const CLUSTER_DECIDES = text(
  "clusterId names where to send; leave it out to send to a registry",
  "clusterId 已指定目标；要发送到 registry，请去掉 clusterId",
);
const DESTINATION_RULES: readonly Rule<GivenDestination>[] = (
  ["registry", "protocol", "username", "password", "certificate"] as const
).map((field) => ({
  field,
  isUnused: (given) => isGiven(given.clusterId?.trim()) && isGiven(given[field]),
  why: CLUSTER_DECIDES,
}));

/** Says which settings of where a distribution sends will not be used. */
export function unusedOfDestination(given: GivenDestination, at = ""): Text[] {
  const byCluster = unused(DESTINATION_RULES, given, at);
  if (isGiven(given.clusterId?.trim())) return byCluster;
  return unused(ACCESS_RULES, { ...given, url: given.registry ?? null }, at);
}

type GivenOnce = {
  packageName?: string | null;
  versions?: readonly string[] | null;
  targetVersions?: readonly string[] | null;
  pathConstraints?: readonly unknown[] | null;
};

const PATHS_DECIDE = text(
  "with pathConstraints, paths are sent and no package",
  "指定 pathConstraints 时只发送路径，不发送包",
);
const ONCE_RULES: readonly Rule<GivenOnce>[] = (
  ["packageName", "versions", "targetVersions"] as const
).map((field) => ({
  field,
  isUnused: (given) =>
    (given.pathConstraints ?? []).length > 0 &&
    isGiven(given[field]) &&
    given[field]?.length !== 0,
  why: PATHS_DECIDE,
}));

/** Says which settings of a run-once task that is saved will not be used. */
export const unusedOfOnce = (given: GivenOnce): Text[] => unused(ONCE_RULES, given);
