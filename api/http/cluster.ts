import {
  type ClusterRow,
  findCluster,
  findClusterByName,
} from "../../db/tasks/clusters.ts";
import type { Db } from "../../db/open.ts";
import { text, type Text } from "../../domain/text.ts";
import { fail } from "./errors.ts";

/**
 * Returns the cluster of an id. Throws 250306 if there is none, and says so if a name was given for the
 * id.
 */
export function clusterOfId(db: Db, id: string): ClusterRow {
  const found = findCluster(db, id);
  if (found) return found;
  return fail(250306, id, noClusterOfId(db, id));
}

/** Says that no cluster has an id; names the id of the cluster if its name was given instead. */
export function noClusterOfId(db: Db, id: string): Text {
  const named = findClusterByName(db, id);
  const shown = quote(id);
  return named === null
    ? text(
        `no cluster has the id ${shown}: GET /replication/api/cluster/list shows all with their ids`,
        `没有 ID 为 ${shown} 的集群：GET /replication/api/cluster/list 列出所有集群及其 ID`,
      )
    : text(
        `no cluster has the id ${shown}; the cluster of that name has the id ${named.id}: write the id`,
        `没有 ID 为 ${shown} 的集群；使用该名称的集群的 ID 是 ${named.id}：请写 ID`,
      );
}

export const noClusterOfName = (name: string): Text =>
  text(
    `no cluster has the name ${quote(name)}: GET /replication/api/cluster/list shows all`,
    `没有名称为 ${quote(name)} 的集群：GET /replication/api/cluster/list 列出所有集群`,
  );

const quote = (name: string): string => JSON.stringify(name.slice(0, 256));
