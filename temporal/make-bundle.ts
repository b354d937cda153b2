import { writeFile } from "node:fs/promises";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";

/**
 * `make-bundle <entry> <file> [<interceptors>]` is a process of its own, because the bundler takes 100 MiB that it
 * never releases.
 */
const [entry = "", file = "", ...interceptors] = process.argv.slice(2);
const { code } = await bundleWorkflowCode({
  workflowsPath: entry,
  workflowInterceptorModules: interceptors,
  logger: new DefaultLogger("ERROR"),
});
await writeFile(file, code);
