import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parser } from "@prometheus-io/lezer-promql";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ALERT_RULES, ALERTS, expressionOf } from "../../domain/alerts.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { closed } from "../rigs/runs/run-fixture.ts";
import { readSeries, scrapeOf } from "../rigs/runs/metrics-fixture.ts";
import { findJudge } from "../rigs/servers/promql.ts";

const RULES = "docs/monitoring/alerts.yml";
const README = readFileSync("docs/monitoring/README.md", "utf8");
/** Labels that Prometheus itself sets. */
const TARGET_LABELS = ["instance", "job"];

type Panel = { title: string; targets?: { expr: string }[] };
const { panels } = JSON.parse(readFileSync("docs/monitoring/dashboard.json", "utf8")) as {
  panels: Panel[];
};
/** The dashboard's expressions as Grafana sends them to Prometheus. */
const shown = panels.flatMap(({ targets = [] }) =>
  targets.map(({ expr }) => expr.replaceAll("$instance", ".*")),
);
const ruled = [
  ...readFileSync(RULES, "utf8").matchAll(/^ +- alert: (\w+)\n +expr: (.+)\n/gm),
].map(([, alert = "", expr = ""]) => ({ alert, expr }));

const judge = await findJudge();
let rig: FileRig;
let text: string;
beforeAll(async () => {
  rig = await startFileRig();
  const { product, projectId, cluster } = rig;
  await product.hosted(projectId, "files");
  await product.upload(projectId, "files", "/a", Buffer.from("first"));
  const objects = [{ localRepoName: "files", repoType: "GENERIC" as const }];
  await closed(product, await product.run({ projectId, objects, clusters: [cluster] }));
  text = await scrapeOf(rig.center);
  while (
    ["orchestrator", "worker 1", "worker 2", "control"].some(
      (process) =>
        !text.includes(`temporal_worker_task_slots_available{process="${process}"`),
    )
  ) {
    await sleep(500);
    text = await scrapeOf(rig.center);
  }
});
afterAll(() => rig.end());

/** Returns the series that an expression reads, and the labels that it selects or groups by. */
function namesIn(expression: string): { metrics: string[]; labels: string[] } {
  const metrics = new Set<string>();
  const labels = new Set<string>();
  parser.parse(expression).iterate({
    enter({ name, from, to, type, node }) {
      if (type.isError) throw new Error(`not PromQL: ${expression}`);
      const part = expression.slice(from, to);
      if (name === "Identifier" && node.parent?.name === "VectorSelector")
        metrics.add(part);
      if (name === "LabelName") labels.add(part);
    },
  });
  return { metrics: [...metrics], labels: [...labels] };
}

test("the file of alert rules has one rule for each alert, with its expression and severity", () => {
  expect(ruled).toEqual(ALERTS.map((alert) => ({ alert, expr: expressionOf(alert) })));
  const severities = [...readFileSync(RULES, "utf8").matchAll(/severity: (\w+)/g)].map(
    ([, severity]) => severity,
  );
  expect(severities).toEqual(ALERTS.map((alert) => ALERT_RULES[alert].severity));
});

test("the alert rules and the dashboard name only series and labels that an instance exposes", () => {
  const series = readSeries(text);
  const metrics = new Set(
    [...text.matchAll(/^# TYPE (\S+) (\w+)/gm)].flatMap(([, name = "", type]) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  const labelsOf = (metric: string) => {
    const documented =
      new RegExp(`\`${metric.replace(/_(bucket|sum|count)$/, "")}\\{([\\w,]+)\\}`)
        .exec(README)?.[1]
        ?.split(",") ?? [];
    return [
      ...documented,
      ...series
        .filter(({ name }) => name === metric)
        .flatMap(({ labels }) => Object.keys(labels)),
    ];
  };
  const wrong = [...ruled.map(({ expr }) => expr), ...shown].flatMap((expression) => {
    const named = namesIn(expression);
    const known = [...TARGET_LABELS, ...named.metrics.flatMap(labelsOf)];
    const lacking = [
      ...named.metrics.filter((name) => !metrics.has(name)),
      ...named.labels.filter((name) => !known.includes(name)),
    ];
    return lacking.map((name) => `${name} in ${expression}`);
  });
  expect(shown.length).toBeGreaterThan(25);
  expect(wrong).toEqual([]);
});

test("the monitoring page explains every metric with its labels, and every alert", () => {
  const ours = [...text.matchAll(/^# TYPE (replication_\S+)/gm)]
    .map(([, name = ""]) => name)
    .filter(
      (name) =>
        !/^replication_(process|nodejs)_/.test(name) || name === "replication_process_up",
    );
  expect(ours.filter((name) => !new RegExp(`\`${name}[\`{]`).test(README))).toEqual([]);
  expect(ALERTS.filter((alert) => !README.includes(`| ${alert} |`))).toEqual([]);
  const labels = new Map<string, Set<string>>();
  for (const { name, labels: given } of readSeries(text))
    labels.set(name, new Set([...(labels.get(name) ?? []), ...Object.keys(given)]));
  const undocumented = ours.flatMap((name) =>
    [...(labels.get(name) ?? [])]
      .filter((label) => !new RegExp(`\`${name}\\{[\\w,]*\\b${label}\\b`).test(README))
      .map((label) => `${name}{${label}}`),
  );
  expect(undocumented).toEqual([]);
});

test("a scrape has the metrics of Temporal's SDK from every process, and each metric family once", () => {
  const processes = new Set(
    readSeries(text)
      .filter(({ name }) => name.startsWith("temporal_"))
      .map(({ labels }) => labels["process"]),
  );
  expect([...processes].toSorted()).toEqual([
    "control",
    "orchestrator",
    "worker 1",
    "worker 2",
  ]);
  const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(types).toHaveLength(new Set(types).size);
});

test.skipIf(judge === null)(
  "Prometheus' own code finds nothing wrong with the metrics, the alert rules and the dashboard",
  async () => {
    const { problems = [], rules = [] } =
      (await judge?.({
        rules: RULES,
        scrapes: [{ at: Date.now(), text }],
        expressions: shown,
      })) ?? {};
    // The library prom-client itself exposes two metrics (replication_nodejs_active_…) whose names
    // break the rules.
    expect(
      problems.filter((problem) => !problem.startsWith("replication_nodejs_active_")),
    ).toEqual([]);
    expect(rules.map(({ alert }) => alert)).toEqual([...ALERTS]);
    expect(
      rules.every(
        ({ annotations }) =>
          annotations?.["summary"] && (annotations["description"] ?? "").length > 40,
      ),
    ).toBe(true);
  },
);
