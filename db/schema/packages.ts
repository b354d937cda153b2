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
 * Packages of hosted DOCKER, OCI, MAVEN and NPM repositories, with names such as `library/nginx`,
 * `group:artifact`, `@scope/name`. A package is deleted with its last version.
 */
export const packages = sqliteTable(
  "package",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    repositoryId: integer()
      .notNull()
      .references(() => repository.id, { onDelete: "cascade" }),
    /**
     * The name of the package: the part of its key after `://`, such as `library/nginx` of
     * `docker://library/nginx`.
     */
    name: text().notNull(),
    ...audit,
  },
  (t) => [uniqueIndex("package_name").on(t.repositoryId, t.name)],
);

/**
 * Versions of packages; each tag of an image is a version. The files of versions are nodes: for
 * images `/{image}/manifests/sha256__{hex}` and `/{image}/blobs/sha256__{hex}` (or
 * `sha512__{hex}`), for npm `/{name}/-/{file}.tgz`, for Maven its layout.
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
     * Identifies the content of the version, for example `sha256:{hex}`: for images the digest of
     * the manifest, for npm that of the tarball, for Maven one over all files
     * (domain/maven/layout.ts).
     */
    digest: text().notNull(),
    /**
     * Bytes of the version's files; an image counts with all its stored children, configs and
     * layers.
     */
    size: integer().notNull(),
    /**
     * Whether all needed files exist. False only for a Maven version without a complete build: one
     * with a POM and, unless its packaging is `pom`, a main artifact.
     */
    complete: integer({ mode: "boolean" }).notNull().default(true),
    /**
     * For npm the version's document as published, with the registry's own name, version and
     * tarball path. For Maven `{ packagings: { [sha256 of a POM]: the packaging that the POM names
     * } }`. For a tag of an image `{ cosigns: boolean }` (whether cosign wrote its manifest) if the
     * tag is named as cosign names tags (`sha256-….sig`), else null.
     */
    document: text({ mode: "json" }).$type<Record<string, unknown>>(),
    ...audit,
  },
  (t) => [
    uniqueIndex("version_name").on(t.packageId, t.name),
    index("version_digest").on(t.digest),
  ],
);

/** Dist-tags of npm packages: each names a version. */
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

/**
 * Manifests and indexes of images, tagged or not. The bytes of each are the content of the file
 * `nodeId` (table `node`).
 */
export const imageManifest = sqliteTable(
  "image_manifest",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    repositoryId: integer()
      .notNull()
      .references(() => repository.id, { onDelete: "cascade" }),
    image: text().notNull(),
    /** Digest of the manifest: `sha256:{hex}` or `sha512:{hex}`. */
    digest: text().notNull(),
    nodeId: integer()
      .notNull()
      .references(() => node.id, { onDelete: "cascade" }),
    mediaType: text().notNull(),
    artifactType: text(),
    /**
     * Digest of the manifest that this one names as its subject, and to which it is thereby
     * attached; that manifest may be missing. Null: it names none.
     */
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
 * The parts of a manifest that are stored here: config and layers (`manifest` false), or the
 * children of an index (true). Foreign layers that were not pushed are absent.
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
