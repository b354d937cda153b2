import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Identities of workers that people have made. */
export const worker = sqliteTable("worker", {
  id: text().primaryKey(),
  name: text().notNull().unique(),
  /** Secret of its token, sealed; the additional data of the seal is `worker:{id}`. */
  secret: text().notNull(),
  createdBy: text().notNull(),
  createdDate: integer().notNull(),
  /** Time of its last request (epoch ms, to a minute); null: none yet. */
  lastSeen: integer(),
  /** Release that it last said it has. */
  version: text(),
});
