import { findCluster } from "../../db/tasks/clusters.ts";
import type { Db } from "../../db/open.ts";
import { readObjects, readTask } from "../../db/tasks/tasks.ts";
import type { Text } from "../../domain/text.ts";
import { unusedOfTask } from "../../domain/unused/task.ts";

/** Says which settings of a saved task will not be used. `at`: the place of the settings in the request's body. */
export function unusedInTask(db: Db, key: string, at = ""): Text[] {
  const task = readTask(db, key);
  if (task === null) return [];
  return unusedOfTask(
    {
      replicaType: task.replicaType,
      setting: task.setting,
      repoTypes: readObjects(db, key).map(({ repoType }) => repoType),
      clusterTypes: task.clusters.flatMap(({ id }) => findCluster(db, id)?.type ?? []),
    },
    at,
  );
}
