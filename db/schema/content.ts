import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { PROTOCOLS, REPOSITORY_CATEGORIES, REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { audit } from "./columns.ts";

export const instance = sqliteTable("instance", { key: text().primaryKey(), value: text().notNull() });

export const project = sqliteTable("project", {
  name: text().primaryKey(),
  displayName: text().notNull(),
  description: text(),
  ...audit,
});

export const repository = sqliteTable(
  "repository",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    projectId: text()
      .notNull()
      .references(() => project.name),
    name: text().notNull(),
    type: text({ enum: REPOSITORY_TYPES }).notNull(),
    category: text({ enum: REPOSITORY_CATEGORIES }).notNull(),
    public: integer({ mode: "boolean" }).notNull(),
    description: text(),
    displayName: text(),
    /** Linked repositories only, this and the five below. */
    url: text(),
    /** Null: that of the type. */
    protocol: text({ enum: PROTOCOLS }),
    username: text(),
    /** Sealed JSON {password?, token?}; additional data of the seal: `repository:{projectId}/{name}`. */
    secret: text(),
    certificate: text(),
    insecureSkipVerify: integer({ mode: "boolean" }).notNull().default(false),
    /** Hosted MAVEN repositories: whether files of releases may change. */
    allowOverwrite: integer({ mode: "boolean" }).notNull().default(false),
    ...audit,
  },
  (t) => [uniqueIndex("repository_name").on(t.projectId, t.name)],
);

/**
 * Files and folders of hosted repositories. `fullPath` starts with "/" and has no trailing one; the parent of "/a" is
 * "/".
 */
export const node = sqliteTable(
  "node",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    repositoryId: integer()
      .notNull()
      .references(() => repository.id),
    fullPath: text().notNull(),
    parent: text().notNull(),
    name: text().notNull(),
    folder: integer({ mode: "boolean" }).notNull(),
    size: integer().notNull(),
    /** Lower-case hex; null for folders. */
    sha256: text(),
    md5: text(),
    metadata: text({ mode: "json" }).$type<Record<string, string>>().notNull(),
    expireDate: integer(),
    ...audit,
  },
  (t) => [
    uniqueIndex("node_path").on(t.repositoryId, t.fullPath),
    index("node_parent").on(t.repositoryId, t.parent, t.name),
    index("node_sha256").on(t.sha256),
    index("node_expiry")
      .on(t.expireDate)
      .where(sql`expire_date IS NOT NULL`),
  ],
);

/**
 * Content that is in the store. `inline` blobs lie in blobs.db, the others are files. `touchedDate`: last written,
 * asked for or let go. `md5` is empty where it was never wanted: layers of images.
 */
export const blob = sqliteTable("blob", {
  sha256: text().primaryKey(),
  md5: text().notNull(),
  size: integer().notNull(),
  inline: integer({ mode: "boolean" }).notNull(),
  touchedDate: integer().notNull(),
});

/**
 * What changed in hosted repositories, for REAL_TIME (docs/decisions.md#events); written in the transaction of the
 * change.
 */
export const event = sqliteTable(
  "event",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    projectId: text().notNull(),
    repoName: text().notNull(),
    kind: text({ enum: ["node", "version"] }).notNull(),
    /** The node's fullPath, or the package key. */
    subject: text().notNull(),
    version: text(),
    digest: text().notNull(),
    createdDate: integer().notNull(),
  },
  (t) => [index("event_repository").on(t.projectId, t.repoName, t.seq)],
);

/**
 * A task's place in the event log for one cluster. `position`: the last seq it is done with; `planned`: the last one
 * that the drain which goes on has taken into its plan. REAL_TIME as a whole: docs/real-time.md.
 */
export const eventCursor = sqliteTable(
  "event_cursor",
  {
    taskKey: text().notNull(),
    clusterId: text().notNull(),
    position: integer()
      .notNull()
      .default(sql`0`),
    planned: integer().notNull().default(0),
    /** Drains in a row that ended without the cluster taking anything, and before when no other begins. */
    failures: integer().notNull().default(0),
    notBefore: integer(),
    /** When the cluster last took or refused something. */
    answeredTime: integer(),
    /**
     * Too much was missed to follow the log: one full plan of the task's objects takes its place, once this record ends
     * well.
     */
    catchUp: integer({ mode: "boolean" }).notNull().default(false),
    catchUpRecord: text(),
  },
  (t) => [primaryKey({ columns: [t.taskKey, t.clusterId] })],
);

/**
 * Files and versions that a cluster did not take within a drain's window, and that later drains send; `recordId`: the
 * drain that has them in its plan now.
 */
export const pending = sqliteTable(
  "pending",
  {
    taskKey: text().notNull(),
    clusterId: text().notNull(),
    repoName: text().notNull(),
    /** A file's path, or a package's name with its `version`. */
    path: text().notNull(),
    version: text().notNull().default(""),
    since: integer().notNull(),
    tries: integer().notNull().default(0),
    notBefore: integer().notNull(),
    recordId: text(),
  },
  (t) => [
    primaryKey({ columns: [t.taskKey, t.clusterId, t.repoName, t.path, t.version] }),
    index("pending_due").on(t.taskKey, t.clusterId, t.notBefore),
    index("pending_record")
      .on(t.recordId)
      .where(sql`record_id IS NOT NULL`),
  ],
);
