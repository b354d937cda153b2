import { findTask, type TaskRow } from "../../db/tasks/tasks.ts";
import { findTaskByName } from "../../db/tasks/distributions.ts";
import type { Db } from "../../db/open.ts";
import { text, type Text } from "../../domain/text.ts";
import { fail } from "../http/errors.ts";
import { noTaskOfKey } from "../http/nothing-found.ts";

/** Returns a task. Throws 250310 if there is none; where its name was given for its key, the message has the key. */
export const taskOfKey = (db: Db, key: string): TaskRow =>
  findTask(db, key) ?? unknownTask(db, key);

export const unknownTask = (db: Db, key: string): never =>
  fail(250310, key, ownKey(db, key) ?? undefined);

/** Says that no task has this key, and which one has it as its name. */
export function noTask(db: Db, key: string): Text {
  const own = ownKey(db, key);
  const none = noTaskOfKey(key);
  return own === null ? none : text(`${none.en}; ${own.en}`, `${none.zh}；${own.zh}`);
}

function ownKey(db: Db, name: string): Text | null {
  const found = findTaskByName(db, name);
  return (
    found &&
    text(
      `the task of that name has the key ${found.key}: write the key`,
      `该名称的任务的 key 是 ${found.key}：请填写 key`,
    )
  );
}
