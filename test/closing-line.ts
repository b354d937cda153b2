import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with the tests that were skipped for a reason, and one plain line that says what became of all. */
export const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const reasons: string[] = [];
    for (const test of modules.flatMap((module) => [...module.children.allTests()])) {
      const result = test.result();
      counts[result.state] += 1;
      if (result.state === "skipped" && result.note) reasons.push(`skipped: ${test.fullName}: ${result.note}\n`);
    }
    const broken = modules.filter((module) => module.errors().length > 0).length;
    process.on("exit", () => process.stdout.write(`\n${reasons.join("")}${counts.passed} passed, ${counts.failed + broken} failed, ${counts.skipped} skipped\n`));
  },
};
