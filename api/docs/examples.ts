/** Example of a task, shown in the API documentation. No code depends on it. */
export const TASK_EXAMPLE = {
  name: "nightly mirror",
  localProjectId: "demo",
  replicaObjectType: "PACKAGE",
  replicaTaskObjects: [
    {
      localRepoName: "hub",
      repoType: "DOCKER",
      remoteProjectId: null,
      remoteRepoName: null,
      packageConstraints: [{ packageKey: "docker://library/nginx", versions: ["1.29"] }],
    },
  ],
  replicaType: "SCHEDULED",
  setting: {
    conflictStrategy: "SKIP",
    errorStrategy: "CONTINUE",
    executionStrategy: "CRON_EXPRESSION",
    executionPlan: { cronExpression: "0 0 2 * * ?" },
  },
  remoteClusterIds: ["609b573353ccce752bf9b85f"],
  enabled: true,
  record: true,
  recordReserveDays: 30,
};
