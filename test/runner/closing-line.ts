import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Prints the tests that were skipped with a reason, and one line with the result of the whole run. */
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

const suiteOf = ({ parent }: TestCase): string =>
  parent.type === "suite" ? parent.fullName : parent.relativeModuleId;

/** Tests of one suite that were skipped for the same reason. */
type Skipped = { suite: string; reason: string; names: string[] };

/** Describes skipped tests: a single test by its name, several by their number. */
function lineOf({ suite, reason, names }: Skipped): string {
  const what = names.length === 1 ? names.join() : `${names.length} tests`;
  return `skipped: ${suite} > ${what}: ${reason}\n`;
}
