import { text, type Text } from "../../domain/text.ts";

const quote = (name: string): string => JSON.stringify(name.slice(0, 256));

/**
 * Warnings for answers that are empty because what they are about does not exist; the contract has an empty list there
 * and no error.
 */
export const noTaskOfKey = (key: string): Text =>
  text(
    `no task has the key ${quote(key)}: GET /replication/api/task/page/{projectId} shows the tasks of a project`,
    `没有 key 为 ${quote(key)} 的任务：GET /replication/api/task/page/{projectId} 列出项目的任务`,
  );
export const noRecordOfId = (id: string): Text =>
  text(
    `no execution has the id ${quote(id)}: GET /replication/api/task/record/list/{key} shows those of a task`,
    `没有 ID 为 ${quote(id)} 的执行记录：GET /replication/api/task/record/list/{key} 列出任务的执行记录`,
  );
export const noProjectOfName = (name: string): Text =>
  text(
    `no project has the name ${quote(name)}: GET /repository/api/project/list shows all`,
    `没有名称为 ${quote(name)} 的项目：GET /repository/api/project/list 列出所有项目`,
  );
export const noDistributionOfName = (name: string): Text =>
  text(
    `the repository has no distribution with the name ${quote(name)}: leave the name out to see all`,
    `该仓库没有名称为 ${quote(name)} 的分发：去掉名称可查看全部`,
  );
