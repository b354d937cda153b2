import { z } from "@hono/zod-openapi";
import { REPLICA_TYPES } from "../../domain/vocabulary.ts";
import { optional, orDefault, protocolIn, protocolOut } from "../http/fields.ts";
import { PackageConstraintIn, PathConstraintIn, Setting, SettingIn } from "../tasks/shapes.ts";

/** Where to: a registry, or a cluster that is there already. With both, the cluster it is. */
const destination = {
  clusterId: optional(z.string()).openapi({ description: "A cluster; this or registry" }),
  registry: optional(z.string()).openapi({
    description: "host[:port][/namespace]; the distribution then owns a REMOTE cluster of its full name",
    example: "registry.example/mirror",
  }),
  protocol: protocolIn,
  username: optional(z.string()),
  password: optional(z.string()).openapi({
    description: "Kept sealed and never answered; absent in an update = kept while the registry's host stays",
  }),
  certificate: optional(z.string()).openapi({ description: "PEM of a private CA" }),
  remoteProjectId: optional(z.string()),
  remoteRepoName: optional(z.string()),
};

export const Destination = z.object(destination);
export type Destination = z.output<typeof Destination>;

export const DistributionUpdate = z
  .object({
    ...destination,
    packageConstraints: optional(z.array(PackageConstraintIn)).openapi({
      description: "With no constraint at all: the whole repository",
    }),
    pathConstraints: optional(z.array(PathConstraintIn)),
    replicaType: orDefault(z.enum(["SCHEDULED", "REAL_TIME"]), "REAL_TIME"),
    setting: orDefault(SettingIn, SettingIn.parse({})),
    enable: orDefault(z.boolean(), true),
    description: optional(z.string()),
  })
  .openapi("DistributionUpdate");
export type DistributionUpdate = z.output<typeof DistributionUpdate>;

export const Distribution = DistributionUpdate.extend({
  name: z.string().openapi({ description: "[a-zA-Z_][a-zA-Z0-9-_]{1,127}", example: "mirrors" }),
}).openapi("Distribution");
export type Distribution = z.output<typeof Distribution>;

export const DistributionCreate = z.object({ configs: z.array(Distribution).max(100) }).openapi("DistributionCreate");

export const RunOnceCreate = z
  .object({
    name: z.string().openapi({ example: "push-nginx" }),
    ...destination,
    packageName: optional(z.string()).openapi({
      description: "With versions; of Maven packages group:artifact, also as package key",
      example: "nginx",
    }),
    versions: optional(z.array(z.string())),
    targetVersions: optional(z.array(z.string())).openapi({
      description: "Images only, with exactly one version: the tags it is put under instead",
    }),
    pathConstraints: optional(z.array(PathConstraintIn)),
    description: optional(z.string()),
  })
  .openapi("RunOnceCreate");
export type RunOnceCreate = z.output<typeof RunOnceCreate>;

export const DistributionInfo = z
  .object({
    projectId: z.string(),
    repoName: z.string(),
    name: z.string(),
    clusterId: z.string().nullable().openapi({ description: "null where the distribution has a registry of its own" }),
    registry: z.string().nullable(),
    protocol: protocolOut,
    certificate: z.string().nullable(),
    username: z.string().nullable(),
    password: z.null().openapi({ description: "Never answered" }),
    remoteProjectId: z.string().nullable(),
    remoteRepoName: z.string().nullable(),
    packageConstraints: z
      .array(
        z.object({
          packageKey: z.string(),
          versions: z.array(z.string()).nullable(),
          targetVersions: z.array(z.string()).nullable(),
        }),
      )
      .nullable(),
    pathConstraints: z.array(z.object({ path: z.string() })).nullable(),
    replicaType: z.enum(REPLICA_TYPES),
    setting: Setting,
    description: z.string().nullable(),
    enable: z.boolean(),
  })
  .openapi("DistributionInfo");
export type DistributionInfo = z.output<typeof DistributionInfo>;
