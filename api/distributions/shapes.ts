import { z } from "@hono/zod-openapi";
import { REPLICA_TYPES } from "../../domain/vocabulary.ts";
import { optional, orDefault, protocolIn, protocolOut } from "../http/fields.ts";
import {
  PackageConstraintIn,
  PathConstraintIn,
  Setting,
  SettingIn,
} from "../tasks/shapes.ts";

/**
 * Fields that say where to send: to a registry, or to an existing cluster. If both are given, the
 * cluster is used.
 */
const destination = {
  clusterId: optional(z.string()).openapi({
    description: "Id of a cluster; instead of registry",
  }),
  registry: optional(z.string()).openapi({
    description:
      "host[:port][/namespace]; the distribution then owns a REMOTE cluster of its full name",
    example: "registry.example/mirror",
  }),
  protocol: protocolIn,
  username: optional(z.string()),
  password: optional(z.string()).openapi({
    description:
      "Stored sealed and never shown; absent in an update = kept while the registry keeps its host",
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
      description: "Without any constraint the whole repository is sent",
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
  name: z
    .string()
    .openapi({ description: "[a-zA-Z_][a-zA-Z0-9-_]{1,127}", example: "mirrors" }),
}).openapi("Distribution");
export type Distribution = z.output<typeof Distribution>;

export const DistributionCreate = z
  .object({ configs: z.array(Distribution).max(100) })
  .openapi("DistributionCreate");

export const RunOnceCreate = z
  .object({
    name: z.string().openapi({ example: "push-nginx" }),
    ...destination,
    packageName: optional(z.string()).openapi({
      description:
        "Needs versions; group:artifact for Maven packages; a package key is accepted as well",
      example: "nginx",
    }),
    versions: optional(z.array(z.string())),
    targetVersions: optional(z.array(z.string())).openapi({
      description:
        "Images only, with exactly one version: the tags that it gets at the target instead",
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
    clusterId: z
      .string()
      .nullable()
      .openapi({ description: "null where the distribution has its own registry" }),
    registry: z.string().nullable(),
    protocol: protocolOut,
    certificate: z.string().nullable(),
    username: z.string().nullable(),
    password: z.null().openapi({ description: "Never shown" }),
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
