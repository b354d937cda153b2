import { writeFile } from "node:fs/promises";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";

/**
 * `make-bundle <entry> <file> [<interceptors>]`: a process of its own, because the bundler takes 100 MiB that it never
 * gives back.
 */
const [entry = "", file = "", ...interceptors] = process.argv.slice(2);
const { code } = await bundleWorkflowCode({
  workflowsPath: entry,
  workflowInterceptorModules: interceptors,
  logger: new DefaultLogger("ERROR"),
});
await writeFile(file, code);
