import { z } from "@hono/zod-openapi";
import type { PackageView, VersionView } from "../../db/packages/pages.ts";
import type { PackageRepository } from "../../db/packages/versions.ts";
import { packageKeyOf } from "../../domain/package-key.ts";
import { formatTime } from "../../domain/time.ts";
import { REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { time } from "../http/fields.ts";

const audit = {
  createdBy: z.string(),
  createdDate: time,
  lastModifiedBy: z.string(),
  lastModifiedDate: time,
};
const texts = z.record(z.string(), z.string());
const nothingKnown = z
  .object({})
  .openapi({ description: "Kept for the original's clients; empty" });
const downloads = z.number().int().openapi({ description: "Not counted: 0" });

export const PackageInfo = z
  .object({
    projectId: z.string(),
    repoName: z.string(),
    name: z.string().openapi({ example: "com.alibaba:fastjson" }),
    key: z.string().openapi({ example: "gav://com.alibaba:fastjson" }),
    type: z.enum(REPOSITORY_TYPES),
    latest: z.string().nullable().openapi({
      description:
        "npm: the dist-tag latest; Maven: the newest version in Maven's order; image: the tag pushed last",
    }),
    downloads,
    versions: z.number().int(),
    description: z.string().nullable(),
    ...audit,
    versionTag: texts.openapi({ description: "npm: its dist-tags" }),
    extension: nothingKnown,
    historyVersion: z
      .array(z.string())
      .openapi({ description: "Its versions, the one changed last at the end" }),
  })
  .openapi("Package");

export function toPackageInfo(
  row: PackageView,
  { projectId, name: repoName, type }: PackageRepository,
  zone: string,
): z.output<typeof PackageInfo> {
  return {
    projectId,
    repoName,
    name: row.name,
    key: packageKeyOf(type, row.name),
    type,
    latest: row.latest,
    downloads: 0,
    versions: row.versions.length,
    description: row.description,
    ...toAudit(row, zone),
    versionTag: Object.fromEntries(row.tags),
    extension: {},
    historyVersion: row.versions,
  };
}

export const VersionInfo = z
  .object({
    name: z.string(),
    size: z
      .number()
      .int()
      .openapi({ description: "Bytes; for an image with all its children and layers" }),
    downloads,
    ...audit,
    stageTag: z
      .array(z.string())
      .openapi({ description: "Kept for the original's clients; empty" }),
    metadata: texts.openapi({
      description: "Metadata of the file that contentPath or manifestPath names",
    }),
    tags: z
      .array(z.string())
      .openapi({ description: "npm: the dist-tags of this version" }),
    extension: nothingKnown,
    contentPath: z
      .string()
      .nullable()
      .openapi({ description: "Maven: its main artifact, npm: its tarball" }),
    manifestPath: z.string().nullable().openapi({ description: "Images: its manifest" }),
  })
  .openapi("PackageVersion");

export function toVersionInfo(
  row: VersionView,
  zone: string,
): z.output<typeof VersionInfo> {
  const { name, size, metadata, tags, contentPath, manifestPath } = row;
  return {
    name,
    size,
    downloads: 0,
    ...toAudit(row, zone),
    stageTag: [],
    metadata,
    tags,
    extension: {},
    contentPath,
    manifestPath,
  };
}

type Audited = {
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

function toAudit(
  { createdBy, createdDate, lastModifiedBy, lastModifiedDate }: Audited,
  zone: string,
) {
  return {
    createdBy,
    createdDate: formatTime(createdDate, zone),
    lastModifiedBy,
    lastModifiedDate: formatTime(lastModifiedDate, zone),
  };
}
