import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import { audit } from "./columns.ts";
import { node, repository } from "./content.ts";

/**
 * Packages of hosted DOCKER, OCI, MAVEN and NPM repositories: `library/nginx`, `group:artifact`,
 * `@scope/name`. A package is deleted with its last version.
 */
export const packages = sqliteTable(
  "package",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    repositoryId: integer()
      .notNull()
      .references(() => repository.id, { onDelete: "cascade" }),
    /** The package key without its scheme. */
    name: text().notNull(),
    ...audit,
  },
  (t) => [uniqueIndex("package_name").on(t.repositoryId, t.name)],
);

/**
 * Versions of packages; each tag of an image is a version. Their files are nodes: of an image
 * `/{image}/manifests/sha256__{hex}` and `/{image}/blobs/sha256__{hex}`, of npm
 * `/{name}/-/{file}.tgz`, of Maven its layout.
 */
export const version = sqliteTable(
  "version",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    packageId: integer()
      .notNull()
      .references(() => packages.id, { onDelete: "cascade" }),
    name: text().notNull(),
    /**
     * Identifies the content, `sha256:{hex}`: of an image its manifest, of npm its tarball, of
     * Maven all its files (domain/maven/layout.ts).
     */
    digest: text().notNull(),
    /** Bytes of its files; an image counts with all its children and layers. */
    size: integer().notNull(),
    /** False: files are missing (a Maven version without POM or main artifact). */
    complete: integer({ mode: "boolean" }).notNull().default(true),
    /**
     * npm: the version's document, as published. Maven: `packagings` of its POMs by their sha256.
     */
    document: text({ mode: "json" }).$type<Record<string, unknown>>(),
    ...audit,
  },
  (t) => [
    uniqueIndex("version_name").on(t.packageId, t.name),
    index("version_digest").on(t.digest),
  ],
);

/** npm's dist-tags. */
export const distTag = sqliteTable(
  "dist_tag",
  {
    packageId: integer()
      .notNull()
      .references(() => packages.id, { onDelete: "cascade" }),
    tag: text().notNull(),
    version: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.packageId, t.tag] })],
);

/** Manifests and indexes of images, tagged or not. Their bytes are the content of the node. */
export const imageManifest = sqliteTable(
  "image_manifest",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    repositoryId: integer()
      .notNull()
      .references(() => repository.id, { onDelete: "cascade" }),
    image: text().notNull(),
    /** `sha256:{hex}`. */
    digest: text().notNull(),
    nodeId: integer()
      .notNull()
      .references(() => node.id, { onDelete: "cascade" }),
    mediaType: text().notNull(),
    artifactType: text(),
    /** Digest of the manifest that it is attached to, which may be missing. */
    subject: text(),
    annotations: text({ mode: "json" }).$type<Record<string, string>>(),
    size: integer().notNull(),
    createdDate: integer().notNull(),
  },
  (t) => [
    uniqueIndex("image_manifest_digest").on(t.repositoryId, t.image, t.digest),
    index("image_manifest_node").on(t.nodeId),
    index("image_manifest_subject")
      .on(t.repositoryId, t.image, t.subject)
      .where(sql`subject IS NOT NULL`),
  ],
);

/**
 * The parts of a manifest: config and layers (`manifest` false), or the children of an index
 * (true).
 */
export const imageReference = sqliteTable(
  "image_reference",
  {
    manifestId: integer()
      .notNull()
      .references(() => imageManifest.id, { onDelete: "cascade" }),
    digest: text().notNull(),
    manifest: integer({ mode: "boolean" }).notNull(),
    size: integer().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.manifestId, t.digest] }),
    index("image_reference_digest").on(t.digest),
  ],
);
