import { customType, integer, text } from "drizzle-orm/sqlite-core";
import {
  completeSetting,
  completeSnapshot,
  type RunSnapshot,
  type StoredSetting,
  type StoredSnapshot,
  type TaskSetting,
} from "../../domain/task.ts";

/**
 * Who created a row and who last changed it; dates are epoch milliseconds, here and everywhere in
 * the database.
 */
export const audit = {
  createdBy: text().notNull(),
  createdDate: integer().notNull(),
  lastModifiedBy: text().notNull(),
  lastModifiedDate: integer().notNull(),
};

/**
 * A JSON column whose value is completed when it is read, because older releases stored fewer
 * fields.
 */
const completed = <Stored, Whole extends Stored>(complete: (stored: Stored) => Whole) =>
  customType<{ data: Whole; driverData: string }>({
    dataType: () => "text",
    toDriver: (value) => JSON.stringify(value),
    fromDriver: (value) => complete(JSON.parse(value) as Stored),
  });

export const settingColumn = completed<StoredSetting, TaskSetting>(completeSetting);
export const snapshotColumn = completed<StoredSnapshot, RunSnapshot>(completeSnapshot);
