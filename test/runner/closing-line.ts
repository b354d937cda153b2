import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Ends a run with the tests that were skipped for a reason, and one plain line that says what became of all. */
export const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const skipped = new Map<string, Skipped>();
    for (const test of modules.flatMap((module) => [...module.children.allTests()])) {
      const result = test.result();
      counts[result.state] += 1;
      if (result.state !== "skipped" || !result.note) continue;
      const [suite, reason] = [suiteOf(test), result.note];
      const same = skipped.get(`${suite}: ${reason}`) ?? { suite, reason, names: [] };
      same.names.push(test.name);
      skipped.set(`${suite}: ${reason}`, same);
    }
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const lines = [...skipped.values()].map(lineOf);
    const sum = `${counts.passed} passed, ${counts.failed + broken} failed, ${counts.skipped} skipped\n`;
    process.on("exit", () => process.stdout.write(`\n${lines.join("")}${sum}`));
  },
};

const suiteOf = ({ parent }: TestCase): string => (parent.type === "suite" ? parent.fullName : parent.relativeModuleId);

/** Tests of one suite that are skipped for one reason. */
type Skipped = { suite: string; reason: string; names: string[] };

/** One test is named; several are counted. */
function lineOf({ suite, reason, names }: Skipped): string {
  const what = names.length === 1 ? names.join() : `${names.length} tests`;
  return `skipped: ${suite} > ${what}: ${reason}\n`;
}
