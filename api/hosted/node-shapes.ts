import { z } from "@hono/zod-openapi";
import type { NodeRow } from "../../db/content/nodes.ts";
import { formatTime } from "../../domain/time.ts";
import { time } from "../http/fields.ts";

export const NodeInfo = z
  .object({
    createdBy: z.string(),
    createdDate: time,
    lastModifiedBy: z.string(),
    lastModifiedDate: time,
    folder: z.boolean(),
    path: z
      .string()
      .openapi({ description: "Its folder, with a slash at the end", example: "/" }),
    name: z.string().openapi({ example: "test.json" }),
    fullPath: z.string().openapi({ example: "/test.json" }),
    size: z.number().int(),
    sha256: z
      .string()
      .nullable()
      .openapi({ description: "Lower-case hex; null for folders" }),
    md5: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    projectId: z.string(),
    repoName: z.string(),
  })
  .openapi("Node");
export type NodeInfo = z.output<typeof NodeInfo>;

export function toNodeInfo(
  row: NodeRow,
  { projectId, name: repoName }: { projectId: string; name: string },
  zone: string,
): NodeInfo {
  return {
    createdBy: row.createdBy,
    createdDate: formatTime(row.createdDate, zone),
    lastModifiedBy: row.lastModifiedBy,
    lastModifiedDate: formatTime(row.lastModifiedDate, zone),
    folder: row.folder,
    path: row.parent === "/" ? "/" : `${row.parent}/`,
    name: row.name,
    fullPath: row.fullPath,
    size: row.size,
    sha256: row.sha256,
    md5: row.md5,
    metadata: row.metadata,
    projectId,
    repoName,
  };
}

/**
 * Describes the root folder of a repository. It has no row: it exists as long as the repository.
 */
export function rootInfo(
  repository: { projectId: string; name: string; createdBy: string; createdDate: number },
  zone: string,
): NodeInfo {
  const { projectId, name, createdBy } = repository;
  const createdDate = formatTime(repository.createdDate, zone);
  return {
    createdBy,
    createdDate,
    lastModifiedBy: createdBy,
    lastModifiedDate: createdDate,
    folder: true,
    path: "/",
    name: "",
    fullPath: "/",
    size: 0,
    sha256: null,
    md5: null,
    metadata: {},
    projectId,
    repoName: name,
  };
}
