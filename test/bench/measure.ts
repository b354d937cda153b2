/** One line of the benchmark's table; `met` null: it could not be measured on this machine. */
export type Row = {
  work: string;
  ours: string;
  peer: string;
  ratio: string;
  budget: string;
  met: boolean | null;
};

/** Returns how many milliseconds `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Returns the smallest value that at least `percent` percent of all values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (
    sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
  );
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
const spread = (values: readonly number[]) =>
  `${seconds(median(values))} (${values.map((ms) => (ms / 1000).toFixed(2)).join(", ")})`;

/**
 * Compares our times with those of a peer that did the same work in turns with us; `peer.times` empty: the peer is not
 * available.
 */
export function against(
  work: string,
  ours: readonly number[],
  peer: { name: string; times: readonly number[] },
  most: number,
): Row {
  const budget = `≤ ${most} × ${peer.name}`;
  if (peer.times.length === 0)
    return {
      work,
      ours: spread(ours),
      peer: `${peer.name}: SKIPPED`,
      ratio: "–",
      budget,
      met: null,
    };
  const ratio = median(ours) / median(peer.times);
  return {
    work,
    ours: spread(ours),
    peer: spread(peer.times),
    ratio: ratio.toFixed(2),
    budget,
    met: ratio <= most,
  };
}

/** Compares the medians of two large sets of measurements. */
export function compared(
  work: string,
  ours: readonly number[],
  other: { name: string; times: readonly number[] },
  most: number,
): Row {
  const text = (times: readonly number[]) => `${median(times).toFixed(2)} ms`;
  const ratio = median(ours) / median(other.times);
  return {
    work,
    ours: text(ours),
    peer: `${other.name}: ${text(other.times)}`,
    ratio: ratio.toFixed(2),
    budget: `≤ ${most} ×`,
    met: ratio <= most,
  };
}

/** Compares a duration with an absolute budget. */
export function within(
  work: string,
  ms: number,
  most: number,
  all: readonly number[] = [],
): Row {
  const detail =
    all.length > 1
      ? ` (${Math.round(Math.min(...all))}–${Math.round(Math.max(...all))} ms)`
      : "";
  const text = (value: number) =>
    most >= 10_000 ? seconds(value) : `${Math.round(value)} ms`;
  return {
    work,
    ours: text(ms) + detail,
    peer: "–",
    ratio: "–",
    budget: `≤ ${text(most)}`,
    met: ms <= most,
  };
}

/** Compares the peak memory of processes, in MiB, with a budget; null if the system does not report it. */
export function memory(
  work: string,
  peaks: Record<string, number | null>,
  most: number,
): Row {
  const known = Object.values(peaks).filter((peak) => peak !== null);
  const ours = Object.entries(peaks)
    .map(([name, peak]) => `${name} ${peak ?? "?"}`)
    .join(", ");
  return {
    work,
    ours: `${ours} MiB`,
    peer: "–",
    ratio: "–",
    budget: `each ≤ ${most} MiB`,
    met: known.length === 0 ? null : Math.max(...known) <= most,
  };
}

const COLUMNS = ["work", "ours", "peer", "ratio", "budget"] as const;
const verdict = (met: boolean | null) => (met === null ? "?" : met ? "yes" : "NO");

/** Formats the rows as an aligned Markdown table. */
export function table(rows: readonly Row[]): string {
  const cells = [
    [...COLUMNS, "met"],
    ...rows.map((row) => [...COLUMNS.map((column) => row[column]), verdict(row.met)]),
  ];
  const widths = [...COLUMNS, "met"].map((_, column) =>
    Math.max(...cells.map((line) => [...(line[column] ?? "")].length)),
  );
  const write = (line: string[]) =>
    `| ${line.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - [...cell].length)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  return [
    write(head),
    `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`,
    ...body.map(write),
  ].join("\n");
}
