export { taskRun } from "./task-run.ts";
export { targetRun } from "./target-run.ts";
