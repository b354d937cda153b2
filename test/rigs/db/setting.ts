import { SETTING_DEFAULTS, type TaskSetting } from "../../../domain/task.ts";

/** The setting of a task that starts immediately, with the default of everything else. */
export const SETTING: TaskSetting = {
  rateLimit: 0,
  includeMetadata: true,
  conflictStrategy: "SKIP",
  errorStrategy: "CONTINUE",
  executionStrategy: "IMMEDIATELY",
  executionPlan: {
    executeImmediately: true,
    executeTime: null,
    cronExpression: null,
    timeZone: null,
  },
  storageConsistencyCheck: false,
  automaticCreateRemoteRepo: true,
  ...SETTING_DEFAULTS,
};
