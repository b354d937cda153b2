import { deleteNodes } from "../../db/content/delete-nodes.ts";
import { hasFiles, hasNodes } from "../../db/content/nodes.ts";
import { write } from "../../db/open.ts";
import { dropPackages, hasPackages } from "../../db/packages/drop-all.ts";
import { findProject } from "../../db/content/projects.ts";
import {
  deleteRepositoryRow,
  insertRepository,
  type RepositoryRow,
  tasksOfRepository,
  updateRepository,
} from "../../db/content/repositories.ts";
import { OVERWRITE_TYPES } from "../../domain/repository-types.ts";
import { checkAll } from "../../domain/request-error.ts";
import { text, type Text } from "../../domain/text.ts";
import type { ApiDeps } from "../deps.ts";
import type { By } from "../../db/audit.ts";
import { listed } from "../http/details.ts";
import { fail } from "../http/errors.ts";
import { checkHosted } from "./hosted-types.ts";
import { checkImageNames } from "./image-names.ts";
import { type RepositoryName, repositoryOf } from "../http/repository.ts";
import { linkOf, UNLINKED } from "./linked.ts";
import {
  type Configuration,
  PROJECT_NAME,
  REPOSITORY_NAME,
  type RepositoryCreate,
  type RepositoryUpdate,
} from "./shapes.ts";

/** Maximum number of tasks that the refusal to delete a used repository names. */
const NAMED_TASKS = 20;

const REPOSITORY_NAME_RULE = text(
  "use 2 to 64 letters, digits, ., - or _; the first must be a letter or _",
  "请使用 2 到 64 个字母、数字、.、- 或 _；首字符必须是字母或 _",
);

const mustBe = (category: RepositoryRow["category"], wanted: string): Text =>
  text(
    `it must be "${wanted}" for a ${category} repository`,
    `${category} 仓库必须为“${wanted}”`,
  );

export const ONLY_HOSTED = text(
  "only a hosted repository has a quota: its files are here",
  "只有本地仓库有配额：其文件在此处",
);

export function checkProjectName(name: string): void {
  if (!PROJECT_NAME.test(name))
    fail(
      250105,
      "name",
      text(
        "use 2 to 100 letters, digits, - or _; the first must be a letter or _",
        "请使用 2 到 100 个字母、数字、- 或 _；首字符必须是字母或 _",
      ),
    );
}

export function createRepository(
  deps: ApiDeps,
  body: RepositoryCreate,
  by: By,
): RepositoryRow {
  const { db } = deps;
  const { projectId, name, type, category, description, displayName } = body;
  const { configuration } = body;
  const isHosted = category === "LOCAL";
  const hasName = REPOSITORY_NAME.test(name);
  let link = UNLINKED;
  checkAll(
    () => !hasName && fail(250105, "name", REPOSITORY_NAME_RULE),
    () => isHosted && checkHosted(type),
    () =>
      isHosted && hasName && checkImageNames({ projectId, repoName: name }, type, "name"),
    () => checkConfiguration(category, configuration),
    () => findProject(db, projectId) ?? fail(251004, projectId),
    () =>
      !isHosted &&
      void (link = linkOf(deps, { projectId, name, type }, configuration, UNLINKED)),
    () => settingsOf({ type, category }, configuration),
    () => !isHosted && body.quota !== null && fail(250105, "quota", ONLY_HOSTED),
  );
  const values = {
    projectId,
    name,
    type,
    category,
    public: body.public,
    description,
    displayName,
    quota: body.quota,
    ...link,
    ...settingsOf({ type, category }, configuration),
  };
  if (!insertRepository(db, values, by)) fail(251007, `${projectId}/${name}`);
  return repositoryOf(db, { projectId, repoName: name });
}

/** Changes a repository and returns it as it is then. */
export function changeRepository(
  deps: ApiDeps,
  named: RepositoryName,
  body: RepositoryUpdate,
  by: By,
): RepositoryRow {
  const row = repositoryOf(deps.db, named);
  const { configuration, description, displayName } = body;
  let link = {};
  checkAll(
    () => checkConfiguration(row.category, configuration),
    () =>
      configuration &&
      row.category === "REMOTE" &&
      void (link = linkOf(deps, row, configuration, row)),
    () => settingsOf(row, configuration),
  );
  const texts = {
    ...(description === null ? {} : { description: description || null }),
    ...(displayName === null ? {} : { displayName: displayName || null }),
  };
  updateRepository(
    deps.db,
    row.id,
    {
      ...texts,
      ...(body.public === null ? {} : { public: body.public }),
      ...link,
      ...settingsOf(row, configuration),
    },
    by,
  );
  return repositoryOf(deps.db, named);
}

function checkConfiguration(
  category: RepositoryRow["category"],
  configuration: Configuration | null,
): void {
  const wanted = category === "LOCAL" ? "local" : "remote";
  checkAll(
    () =>
      configuration &&
      configuration.type !== wanted &&
      fail(250105, "configuration.type", mustBe(category, wanted)),
    () =>
      category === "LOCAL" &&
      configuration?.protocol &&
      fail(250105, "configuration.protocol", NO_PROTOCOL),
  );
}

const NO_PROTOCOL = text(
  "only a linked repository has a protocol: leave the field out",
  "只有远程仓库有协议：请去掉该字段",
);

/**
 * Returns the settings that a configuration changes; a field that is absent or null stays as it is.
 * Throws 250105 for a setting that the repository does not have.
 */
function settingsOf(
  { type, category }: Pick<RepositoryRow, "type" | "category">,
  configuration: Configuration | null,
): Partial<Pick<RepositoryRow, "allowOverwrite">> {
  const allowOverwrite = configuration?.settings?.allowOverwrite ?? null;
  if (allowOverwrite === null) return {};
  if (!OVERWRITE_TYPES.includes(type) || category !== "LOCAL") {
    fail(
      250105,
      "configuration.settings.allowOverwrite",
      text(
        `only hosted ${OVERWRITE_TYPES.join(" and ")} repositories have this setting: leave the field out`,
        `只有 ${OVERWRITE_TYPES.join(" 和 ")} 本地仓库有此设置：请去掉该字段`,
      ),
    );
  }
  return { allowOverwrite };
}

/**
 * Deletes a repository, with all its packages and files when `forced`. Throws 250112 while tasks
 * use it, 251008 if it has content and `forced` is false.
 */
export async function removeRepository(
  deps: ApiDeps,
  named: RepositoryName,
  forced: boolean,
): Promise<void> {
  const { db, now } = deps;
  const row = repositoryOf(deps.db, named);
  mustBeUnused(deps, row);
  do {
    const isEmpty = !hasFiles(db, row.id) && !hasPackages(db, row.id);
    if (!forced && !isEmpty)
      fail(
        251008,
        `${row.projectId}/${row.name}`,
        text(
          "add forced=true to delete its content as well",
          "要同时删除其内容，请加上 forced=true",
        ),
      );
    await dropPackages(db, row.id);
    await deleteNodes(db, row.id, "/", now());
  } while (!deleteWhenEmpty(deps, row));
}

/**
 * Deletes an empty repository; returns false if something was stored in it meanwhile, throws 250112
 * if a task uses it.
 */
function deleteWhenEmpty(deps: ApiDeps, row: RepositoryRow): boolean {
  return write(deps.db, (tx) => {
    mustBeUnused(deps, row);
    if (hasNodes(tx, row.id) || hasPackages(tx, row.id)) return false;
    deleteRepositoryRow(tx, row.id);
    return true;
  });
}

function mustBeUnused(
  { db }: Pick<ApiDeps, "db">,
  { projectId, name }: RepositoryRow,
): void {
  const tasks = tasksOfRepository(db, projectId, name);
  if (tasks.length === 0) return;
  const { en, zh } = listed(tasks, NAMED_TASKS);
  fail(
    250112,
    text(
      `repository ${projectId}/${name} is used by tasks: ${en}. ` +
        "Delete them first, or change them to use another repository",
      `仓库 ${projectId}/${name} 正被以下任务使用：${zh}。请先删除这些任务，或改为使用其他仓库`,
    ),
  );
}
