import { z } from "@hono/zod-openapi";
import { SYNC_FEATURES, SYNC_LIMITS } from "../../domain/sync.ts";
import { STATED_TYPES } from "../../domain/sync-versions.ts";
import { text } from "../../domain/text.ts";
import { CONFLICT_STRATEGIES, REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { matching } from "../http/fields.ts";

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const hex = (digits: number) =>
  matching(
    new RegExp(`^[0-9a-f]{${digits}}$`),
    text(
      `must be ${digits} lower-case hex digits`,
      `必须是 ${digits} 位小写十六进制数字`,
    ),
  );
const sha256 = hex(64);
const otherDigests = {
  sha512: hex(128).nullish(),
  sha1: hex(40).nullish(),
  md5: hex(32).nullish(),
};
const epochMs = count.openapi({ description: "Epoch milliseconds" });

const limits = z.object({
  files: count.openapi({ description: "Most files of one statement" }),
  statementBytes: count.openapi({
    description: "Bytes of the JSON of a statement of files",
  }),
  contentBytes: count.openapi({ description: "Content bytes behind a statement" }),
  fileBytes: count.openapi({
    description: "Size of one attached file; larger ones are uploaded",
  }),
  chunkBytes: count.openapi({ description: "Bytes of one PATCH of an upload" }),
  versions: count.openapi({ description: "Most package versions of one statement" }),
  versionFiles: count.openapi({ description: "Files of all versions of one statement" }),
  versionBytes: count.openapi({
    description: "Bytes of the JSON of a statement of versions",
  }),
});

export const SyncCapabilities = z
  .object({
    product: z.string(),
    version: z.number().int(),
    name: z.string(),
    limits,
    repositoryTypes: z.array(z.enum(REPOSITORY_TYPES)),
    features: z
      .array(z.enum(SYNC_FEATURES))
      .openapi({ description: "Abilities that older releases do not have" }),
  })
  .openapi("SyncCapabilities");

export const SyncRepository = z
  .object({ type: z.enum(REPOSITORY_TYPES) })
  .openapi("SyncRepository");
export const SyncEnsured = z
  .object({ created: z.boolean(), empty: z.boolean() })
  .openapi("SyncEnsured");

const audit = {
  createdBy: z.string(),
  createdDate: epochMs,
  lastModifiedBy: z.string(),
  lastModifiedDate: epochMs,
};

const versionFile = z.object({
  path: z.string().openapi({ description: "Begins with a slash", example: "/a/b.bin" }),
  size: count.nullish().openapi({ description: "Null: the source does not know it" }),
  sha256: sha256.nullish().openapi({
    description:
      "Null: the source does not know it; then the strongest of the other digests decides",
  }),
  ...otherDigests,
  metadata: z.record(z.string(), z.string()),
  ...audit,
});

const statedFile = versionFile.extend({
  attached: z.boolean().openapi({
    description: "Its bytes follow behind the statement, in the order of the files",
  }),
});

/** This shape is only for the documentation: api/sync/statement.ts checks statements by hand. */
export const SyncStatement = z
  .object({
    type: z.enum(REPOSITORY_TYPES),
    conflictStrategy: z.enum(CONFLICT_STRATEGIES),
    includeMetadata: z.boolean(),
    files: z.array(statedFile).max(SYNC_LIMITS.files),
  })
  .openapi("SyncStatement");

const fileAnswer = z.object({
  result: z.enum([
    "made",
    "same",
    "need",
    "stopped",
    "damaged",
    "replaced",
    "conflict",
    "refused",
  ]),
  existing: sha256.optional().openapi({
    description:
      "sha256. replaced, conflict, refused: of the content that was or is there; " +
      "need: of the content that is there and could not be compared",
  }),
  code: z
    .number()
    .int()
    .optional()
    .openapi({ description: "refused: a code of this API" }),
  message: z.string().optional().openapi({ description: "refused: why" }),
});

export const SyncFiles = z.object({ files: z.array(fileAnswer) }).openapi("SyncFiles");

const statedVersion = z.object({
  package: z.string().openapi({
    description: "Key of the package without the scheme",
    example: "com.acme:lib",
  }),
  version: z.string(),
  digest: z
    .string()
    .nullish()
    .openapi({
      description:
        "sha256 of the tarball, or of the sorted lines `{path} {sha256}` of the files of a Maven version; " +
        "null: computed here",
    }),
  files: z
    .array(versionFile)
    .min(1)
    .openapi({ description: "All files but checksums and maven-metadata" }),
  document: z.record(z.string(), z.unknown()).nullable().openapi({
    description: "npm: the document of the version; Maven: facts of its POMs",
  }),
  distTags: z
    .array(z.string())
    .openapi({ description: "npm: the dist-tags of the version" }),
  sourceVersions: z.array(z.string()).nullish().openapi({
    description:
      "npm, where latest is among the tags: all versions of the package at the source",
  }),
  ...audit,
});

/**
 * This shape is only for the documentation: api/sync/versions-statement.ts checks statements by
 * hand.
 */
export const SyncVersionsStatement = z
  .object({
    type: z.enum(STATED_TYPES),
    conflictStrategy: z.enum(CONFLICT_STRATEGIES),
    includeMetadata: z.boolean(),
    contents: z
      .array(z.object({ sha256, size: count }))
      .openapi({ description: "Their bytes follow behind the statement, in this order" }),
    versions: z.array(statedVersion).max(SYNC_LIMITS.versions),
  })
  .openapi("SyncVersionsStatement");

const versionAnswer = z.object({
  result: z.enum([
    "made",
    "same",
    "need",
    "stopped",
    "damaged",
    "replaced",
    "conflict",
    "refused",
  ]),
  written: count
    .optional()
    .openapi({ description: "made, replaced: number of files that were written" }),
  existing: z.string().optional().openapi({
    description:
      "replaced, conflict, refused: digest of the version that was or is there",
  }),
  path: z
    .string()
    .optional()
    .openapi({ description: "conflict: the first file that differs" }),
  files: z
    .array(sha256)
    .optional()
    .openapi({ description: "need: sha256 of the contents that are missing" }),
  paths: z.array(z.string()).optional().openapi({
    description:
      "need: paths of the files that are missing and whose sha256 was not stated",
  }),
  code: z
    .number()
    .int()
    .optional()
    .openapi({ description: "refused: a code of this API" }),
  message: z.string().optional().openapi({ description: "refused: why" }),
});

export const SyncVersions = z
  .object({
    versions: z.array(versionAnswer),
    damaged: z.array(sha256).openapi({
      description: "Contents that arrived as something else and were not kept",
    }),
  })
  .openapi("SyncVersions");

const known = { sha256: sha256.nullish(), size: count.nullish() };
/**
 * What is known of an uploaded content. A null field counts as absent, here and in SyncUploaded.
 */
export const SyncContent = z.object(known).openapi("SyncContent", {
  description:
    "The known facts of a content before it is uploaded; an empty object is enough",
});
export const SyncUploaded = z
  .object({ ...known, ...otherDigests })
  .openapi("SyncUploaded", {
    description:
      "The facts that the uploaded content must match, as far as they are known",
  });
export const SyncUpload = z
  .object({
    id: z.string().openapi({
      description: "Empty when the content is here already and no session was begun",
    }),
    offset: count.openapi({ description: "Bytes that are confirmed to be here" }),
    done: z
      .boolean()
      .openapi({ description: "Whether the content is here and verified" }),
    sha256: sha256
      .optional()
      .openapi({ description: "Only of an upload that has ended" }),
    size: count.optional().openapi({ description: "Only of an upload that has ended" }),
  })
  .openapi("SyncUpload");
