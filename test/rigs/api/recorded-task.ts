import { createTaskApi, FILES, IMAGES, INSTANCE, REGISTRY } from "./api-task-fixture.ts";

/** Where executions and their details are requested. */
export const RECORD = "/replication/api/task/record";

export type Row = Record<string, unknown> & { id: string };

export type Page = {
  records: Row[];
  totalRecords: number;
  totalPages: number;
  pageNumber: number;
  pageSize: number;
  count: number;
  page: number;
};

/** Starts an API with a task of three objects and two clusters; `key` is the task's. */
export async function createRecordedTask() {
  const api = createTaskApi();
  const objects = [
    FILES,
    {
      ...IMAGES,
      packageConstraints: [
        { packageKey: "docker://library/nginx", versions: ["1", "2"] },
      ],
    },
    { localRepoName: "maven", repoType: "MAVEN" },
  ];
  const { key } = await api.created({
    replicaTaskObjects: objects,
    remoteClusterIds: [INSTANCE, REGISTRY],
  });
  return { api, key };
}
