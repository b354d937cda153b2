import { judgeFairness, type Probes } from "./probes.ts";
import type { World } from "./world.ts";

/** All rules, listed in the report also when they held. */
const RULES = [
  "counts add up",
  "nothing planned is dropped",
  "nothing done is undone",
  "a run that has ended keeps its status",
  "SUCCESS means that everything is done",
  "no record is lost",
  "an execution has one record",
  "every artifact is recorded once",
  "details agree with their record",
  "both ends can be compared",
  "nothing is lost, foreign or different",
  "only contents that existed are sent",
  "every run ends",
  "runs succeed once troubles have passed",
  "uploads arrive at their target",
  "everything is ready again",
  "every request succeeds in the end",
  "SIGTERM ends everything in order",
  "nothing crashes",
  "/health/live answers",
  "what is wrong is reported",
  "reports end with their cause",
  "a full disk is said to uploaders",
  "an end that lied is brought right",
  "a run that failed says why",
  "no login goes elsewhere",
  "damage is found and reported",
  "damaged content is not served",
  "damage is repaired",
  "nothing good is taken for damaged",
  "fairness",
];

/** Prints what was done and which rules held; returns true when a rule was violated. */
export function report(
  { journal, folder }: World,
  probes: Probes,
  { seed, isShared }: { seed: number; isShared: boolean },
): boolean {
  const fairness = judgeFairness({ journal }, probes, isShared);
  console.log(
    `\nsoak of ${(journal.seconds() / 60).toFixed(1)} minutes, --seed=${seed}\n`,
  );
  const rows = journal.counts().toSorted(([a], [b]) => (a < b ? -1 : 1));
  console.log(
    [
      "| what | times |",
      "|---|---|",
      ...rows.map(([what, number]) => `| ${what} | ${number} |`),
    ].join("\n"),
  );
  console.log(`\n${fairness.join("\n")}\n`);
  const violations = journal.violations();
  const names = [...new Set([...RULES, ...violations.keys()])];
  console.log(
    [
      "| rule | held |",
      "|---|---|",
      ...names.map((rule) => {
        const isJudged = rule !== "fairness" || !isShared;
        return `| ${rule} | ${isJudged ? verdict(violations.get(rule)) : "not judged"} |`;
      }),
    ].join("\n"),
  );
  for (const [rule, cases] of violations)
    console.log(
      `\nVIOLATED ${rule}, ${cases.length} times:\n${cases
        .slice(0, 5)
        .map((text) => `  - ${text.slice(0, 1_500)}`)
        .join("\n")}`,
    );
  console.log(
    violations.size === 0
      ? "\nEverything held."
      : `\n${violations.size} rules were violated; the timeline is in ${folder}.`,
  );
  return violations.size > 0;
}

const verdict = (cases: readonly string[] | undefined): string =>
  cases === undefined ? "yes" : `NO, ${cases.length} times`;
