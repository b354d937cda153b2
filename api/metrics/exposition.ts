/** The types of metrics in Prometheus' text format. */
export type MetricType = "counter" | "gauge" | "histogram" | "summary" | "untyped";
export type Labels = Readonly<Record<string, string>>;
/**
 * A metric with its values. `samples`: values by the text before them in a line, such as
 * `name_bucket{le="1"}`.
 */
export type Family = {
  name: string;
  type: MetricType;
  help: string;
  samples: Map<string, number>;
};
/** Combines two values that have the same labels. */
export type Merge = (a: number, b: number) => number;

export const sum: Merge = (a, b) => a + b;

/**
 * Creates a metric; `add` adds a value to it. `suffix` of `add`: appended to the metric's name, as
 * histograms need it (`_bucket`, `_sum`, `_count`).
 */
export function createFamily(
  name: string,
  type: MetricType,
  help: string,
  merge: Merge = sum,
) {
  const samples: Family["samples"] = new Map();
  return {
    family: { name, type, help, samples } satisfies Family,
    add(labels: Labels, value: number, suffix = ""): void {
      const key = `${name}${suffix}${writeLabels(labels)}`;
      const known = samples.get(key);
      samples.set(key, known === undefined ? value : merge(known, value));
    },
  };
}

export function writeLabels(labels: Labels): string {
  let text = "";
  for (const name in labels)
    text += `${text === "" ? "{" : ","}${name}="${escapeLabel(labels[name] ?? "")}"`;
  return text === "" ? "" : `${text}}`;
}

const escapeLabel = (text: string) =>
  /[\\"\n]/.test(text)
    ? text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    : text;

function writeNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/**
 * Writes metrics in Prometheus' text format, the lines of each metric together; "" without metrics.
 */
export function writeFamilies(families: Iterable<Family>): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [series, value] of samples) lines.push(`${series} ${writeNumber(value)}`);
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}
