import { z } from "@hono/zod-openapi";
import type { ClusterRow } from "../../db/tasks/clusters.ts";
import { formatTime } from "../../domain/time.ts";
import { CLUSTER_STATUSES, CLUSTER_TYPES } from "../../domain/vocabulary.ts";
import {
  optional,
  orDefault,
  protocolIn,
  protocolOut,
  realmsIn,
  realmsOut,
  time,
} from "../http/fields.ts";

const DETECT_TYPES = ["PING", "REPORT"] as const;
const type = z.enum(CLUSTER_TYPES).openapi({
  description: "CENTER, EDGE, STANDALONE: another instance; REMOTE: a registry",
});
const ADDRESS =
  "http or https; without a scheme it is https. A path is a namespace. " +
  "A REMOTE cluster may have s3://bucket/prefix (protocol S3) or file:///folder (protocol DIRECTORY)";
const url = z
  .string()
  .openapi({ description: ADDRESS, example: "https://registry.example/mirror" });

const access = {
  url,
  protocol: protocolIn,
  username: optional(z.string()),
  password: optional(z.string()).openapi({
    description: "Stored sealed and never shown",
  }),
  token: optional(z.string()).openapi({ description: "Instead of a password" }),
  acceptedRealms: realmsIn,
  certificate: optional(z.string()).openapi({ description: "PEM of a private CA" }),
  insecureSkipVerify: optional(z.boolean()),
  appId: optional(z.string()),
  accessKey: optional(z.string()),
  secretKey: optional(z.string()),
  udpPort: optional(z.number().int().min(1).max(65_535)),
};

export const ClusterCreate = z
  .object({
    name: z.string().openapi({ description: "2 to 256 characters, unique" }),
    type,
    ...access,
    ping: orDefault(z.boolean(), true).openapi({
      description: "Whether the cluster is tested now, and refused if the test fails",
    }),
    detectType: orDefault(z.enum(DETECT_TYPES), "PING"),
  })
  .openapi("ClusterCreate", {
    example: {
      name: "shanghai",
      type: "STANDALONE",
      url: "https://replication.shanghai.example",
      username: "admin",
      password: "secret",
      ping: true,
    },
  });
export type ClusterCreate = z.output<typeof ClusterCreate>;

const UPDATE =
  "A field that is absent or null stays as it is, except protocol and acceptedRealms; secrets stay only while the " +
  "url keeps its host. " +
  "An empty text clears a field";

export const ClusterUpdate = z
  .object({
    name: z.string(),
    ...access,
    ping: orDefault(z.boolean(), true),
    detectType: optional(z.enum(DETECT_TYPES)),
  })
  .openapi("ClusterUpdate", { description: UPDATE });
export type ClusterUpdate = z.output<typeof ClusterUpdate>;

export const ClusterInfo = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(CLUSTER_STATUSES),
    errorReason: z.string().nullable(),
    type: z.enum(CLUSTER_TYPES),
    url: z.string(),
    protocol: protocolOut,
    username: z.string().nullable(),
    acceptedRealms: realmsOut,
    certificate: z.string().nullable(),
    insecureSkipVerify: z.boolean(),
    appId: z.string().nullable(),
    accessKey: z.string().nullable(),
    udpPort: z.number().int().nullable(),
    extension: z.null(),
    detectType: z.enum(DETECT_TYPES),
    lastReportTime: time.nullable(),
    createdBy: z.string(),
    createdDate: time.nullable(),
    lastModifiedBy: z.string(),
    lastModifiedDate: time.nullable(),
  })
  .openapi("Cluster");
export type ClusterInfo = z.output<typeof ClusterInfo>;

export function toClusterInfo(row: ClusterRow, zone: string): ClusterInfo {
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    errorReason: row.errorReason,
    type: row.type,
    url: row.url,
    protocol: row.protocol,
    username: row.username,
    acceptedRealms: row.acceptedRealms,
    certificate: row.certificate,
    insecureSkipVerify: row.insecureSkipVerify,
    appId: row.appId,
    accessKey: row.accessKey,
    udpPort: row.udpPort,
    extension: null,
    detectType: row.detectType,
    lastReportTime:
      row.lastReportTime === null ? null : formatTime(row.lastReportTime, zone),
    createdBy: row.createdBy,
    createdDate: formatTime(row.createdDate, zone),
    lastModifiedBy: row.lastModifiedBy,
    lastModifiedDate: formatTime(row.lastModifiedDate, zone),
  };
}

/**
 * Describes the local instance as a cluster. It has no row in the table `cluster`: it cannot be
 * changed, deleted or replicated to.
 */
export function localClusterInfo(name: string, url: string): ClusterInfo {
  return {
    id: "0".repeat(24),
    name,
    status: "HEALTHY",
    errorReason: null,
    type: "CENTER",
    url,
    protocol: null,
    username: null,
    acceptedRealms: null,
    certificate: null,
    insecureSkipVerify: false,
    appId: null,
    accessKey: null,
    udpPort: null,
    extension: null,
    detectType: "PING",
    lastReportTime: null,
    createdBy: "system",
    createdDate: null,
    lastModifiedBy: "system",
    lastModifiedDate: null,
  };
}
