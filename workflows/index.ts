export { realTimeRun } from "./real-time-run.ts";
export { targetRun } from "./target-run.ts";
export { taskRun } from "./task-run.ts";
