import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Ends a run with the tests that were skipped for a reason, and one plain line that says what became of all. */
export const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const skipped = new Map<string, string[]>();
    for (const test of modules.flatMap((module) => [...module.children.allTests()])) {
      const result = test.result();
      counts[result.state] += 1;
      if (result.state !== "skipped" || !result.note) continue;
      const shared = `${suiteOf(test)}\n${result.note}`;
      skipped.set(shared, [...(skipped.get(shared) ?? []), test.name]);
    }
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const lines = [...skipped].map(([shared, names]) => lineOf(...(shared.split("\n") as [string, string]), names));
    const sum = `${counts.passed} passed, ${counts.failed + broken} failed, ${counts.skipped} skipped\n`;
    process.on("exit", () => process.stdout.write(`\n${lines.join("")}${sum}`));
  },
};

const suiteOf = ({ parent }: TestCase): string => (parent.type === "suite" ? parent.fullName : parent.relativeModuleId);

/** Several tests that one reason skips in one place are counted. */
function lineOf(suite: string, reason: string, names: readonly string[]): string {
  const what = names.length === 1 ? names.join() : `${names.length} tests`;
  return `skipped: ${suite} > ${what}: ${reason}\n`;
}
