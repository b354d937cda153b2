import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import {
  DAMAGE_CAUSES,
  PROTOCOLS,
  REPOSITORY_CATEGORIES,
  REPOSITORY_TYPES,
} from "../../domain/vocabulary.ts";
import { audit } from "./columns.ts";

/** Facts of this installation, by name: id and check value of its secret key (db/secrets/key.ts). */
export const instance = sqliteTable("instance", {
  key: text().primaryKey(),
  value: text().notNull(),
});

export const project = sqliteTable("project", {
  name: text().primaryKey(),
  displayName: text().notNull(),
  description: text(),
  /** Most bytes of the files of all its hosted repositories together; null: no limit. */
  quota: integer(),
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
    /**
     * Address of a linked repository's registry. This column and the next five are used only for
     * linked repositories.
     */
    url: text(),
    /**
     * Protocol that the user has set; null: the scheme of `url` names it, else the type of the
     * repository.
     */
    protocol: text({ enum: PROTOCOLS }),
    username: text(),
    /**
     * Sealed JSON {password?, token?}; the additional data of the seal is
     * `repository:{projectId}/{name}`. Null: neither is set.
     */
    secret: text(),
    /** As of a cluster. */
    acceptedRealms: text({ mode: "json" }).$type<readonly string[] | null>(),
    certificate: text(),
    insecureSkipVerify: integer({ mode: "boolean" }).notNull().default(false),
    /** For hosted MAVEN repositories: whether files of releases may be replaced. */
    allowOverwrite: integer({ mode: "boolean" }).notNull().default(false),
    /** For hosted repositories: most bytes of all their files; null: no limit. */
    quota: integer(),
    ...audit,
  },
  (t) => [uniqueIndex("repository_name").on(t.projectId, t.name)],
);

/**
 * Files and folders of hosted repositories. `fullPath` starts with "/" and does not end with one;
 * the parent of "/a" is "/".
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
    /** Digest of the file's content in lower-case hex; null for folders. */
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
 * How many bytes the files of a repository have, by the sizes of their nodes. Triggers on `node` keep it
 * (docs/architecture.md#tables-and-triggers); a repository without a row has none.
 */
export const usage = sqliteTable("usage", {
  repositoryId: integer()
    .primaryKey()
    .references(() => repository.id, { onDelete: "cascade" }),
  bytes: integer().notNull(),
});

/**
 * Contents that are registered in the store. `inline`: the content is a row of blobs.db, else a
 * file. `touchedDate`: when it was last written, looked up by a sender (noted at most once an
 * hour), or lost a file that used it (epoch ms). `md5` is "" if it was not computed, as for image
 * layers.
 */
export const blob = sqliteTable("blob", {
  sha256: text().primaryKey(),
  md5: text().notNull(),
  size: integer().notNull(),
  inline: integer({ mode: "boolean" }).notNull(),
  touchedDate: integer().notNull(),
});

/**
 * Contents whose bytes are gone or wrong. Such a content has no row in `blob`, so it counts as
 * absent. The row goes when the right bytes arrive, or when no file needs the content any more.
 */
export const damage = sqliteTable("damage", {
  sha256: text().primaryKey(),
  size: integer().notNull(),
  cause: text({ enum: DAMAGE_CAUSES }).notNull(),
  foundDate: integer().notNull(),
});

/**
 * The place of the scrub, in one row (`id` 1). `position`: the last digest that it has looked at;
 * `roundDate`: when this round began; `doneDate`: when the last whole round ended (epoch ms), null:
 * none has.
 */
export const scrub = sqliteTable("scrub", {
  id: integer().primaryKey(),
  position: text().notNull(),
  roundDate: integer().notNull(),
  doneDate: integer(),
});

/**
 * Changes in hosted repositories of projects that a REAL_TIME task follows
 * (docs/decisions.md#events), written in the transaction of the change.
 */
export const event = sqliteTable(
  "event",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    projectId: text().notNull(),
    repoName: text().notNull(),
    kind: text({ enum: ["node", "version"] }).notNull(),
    /** The fullPath of the changed file, or the key of the package whose `version` changed. */
    subject: text().notNull(),
    version: text(),
    digest: text().notNull(),
    createdDate: integer().notNull(),
  },
  (t) => [index("event_repository").on(t.projectId, t.repoName, t.seq)],
);

/**
 * A task's position in the event log for one cluster. `position`: the last event (seq) with which
 * the cursor is done; `planned`: the last event that the running drain has read, without a drain
 * equal to `position`. docs/real-time.md describes REAL_TIME as a whole.
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
    /**
     * `failures`: how many drains in a row were stopped, or ended because the cluster accepted
     * nothing; `notBefore`: no drain begins before this time (epoch ms), null: at any time.
     */
    failures: integer().notNull().default(0),
    notBefore: integer(),
    /**
     * When a worker last reported that an artifact of the task ended or yielded at the cluster, and
     * did not only wait to be tried *again* (epoch ms); null: never yet.
     */
    answeredTime: integer(),
    /**
     * Whether the task fell too far behind to follow the log. Then one full plan of its objects
     * replaces the events, until a drain with this plan (its record: `catchUpRecord`) ends without
     * being stopped and without the cluster being away.
     */
    catchUp: integer({ mode: "boolean" }).notNull().default(false),
    catchUpRecord: text(),
  },
  (t) => [primaryKey({ columns: [t.taskKey, t.clusterId] })],
);

/**
 * Files and versions that a later drain sends to a cluster: the cluster did not accept them while a
 * drain tried, they changed while they were sent, or the drain ended before them (FAST_FAIL).
 * `recordId`: the running drain that has taken them; null: none.
 */
export const pending = sqliteTable(
  "pending",
  {
    taskKey: text().notNull(),
    clusterId: text().notNull(),
    repoName: text().notNull(),
    /** Full path of a file; if `version` is not "", the name of the package instead. */
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
