import { type Family, type Labels, type MetricType, writeLabels } from "./exposition.ts";

/** A process of this instance on this machine that serves its metrics at a port of loopback. */
export type MetricsPort = { process: string; port: number };

const DEADLINE_MS = 1_000;
/** The metrics of a worker elsewhere are forgotten after this time; it sends them every 15 s. */
const FORGET_MS = 60_000;
const MOST_WORKERS = 200;
/** Maximum length (characters) of the metrics of one process, and of all workers elsewhere together. */
const MOST_TEXT = 1024 ** 2;
const MOST_TOLD = 16 * 1024 ** 2;
const TYPES: readonly string[] = [
  "counter",
  "gauge",
  "histogram",
  "summary",
  "untyped",
] satisfies MetricType[];

/**
 * Collects the metrics of Temporal's SDK, those of this process too: the processes on this machine
 * are read at each scrape, and workers elsewhere send theirs.
 */
export function createOthers({
  ports,
  now,
}: {
  ports: () => readonly MetricsPort[];
  now: () => number;
}) {
  const told = new Map<string, { at: number; length: number; families: Family[] }>();
  return {
    /**
     * Stores the metrics of a worker elsewhere; returns false if they are too long or too many
     * workers send metrics.
     */
    tell(worker: string, text: string): boolean {
      for (const [name, { at }] of told) if (now() - at > FORGET_MS) told.delete(name);
      const others = [...told].filter(([name]) => name !== worker);
      const length = others.reduce((sum, [, one]) => sum + one.length, text.length);
      const isTooMuch =
        text.length > MOST_TEXT || length > MOST_TOLD || others.length >= MOST_WORKERS;
      if (!isTooMuch)
        told.set(worker, {
          at: now(),
          length: text.length,
          families: readFamilies(text, { process: `worker ${worker}` }),
        });
      return !isTooMuch;
    },
    /**
     * Returns the metrics of all processes; one on this machine that does not answer within a
     * second is left out.
     */
    async read(): Promise<Family[]> {
      const asked = ports().map(async ({ process, port }) => {
        const text = await askAt(port).catch(() => "");
        return readFamilies(text, { process });
      });
      const here = (await Promise.all(asked)).flat();
      const elsewhere = [...told.values()]
        .filter(({ at }) => now() - at <= FORGET_MS)
        .flatMap(({ families }) => families);
      return mergeFamilies([...here, ...elsewhere]);
    },
  };
}
export type Others = ReturnType<typeof createOthers>;

async function askAt(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const text = await answer.text();
  return answer.ok && text.length <= MOST_TEXT ? text : "";
}

const HEAD = /^# (HELP|TYPE) ([A-Za-z_:][\w:]*) ?(.*)$/;
const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

/**
 * Reads the metrics in a text and adds `labels` to each sample. A line that is not valid in the
 * format, or does not follow the HELP or TYPE line of its metric, is left out.
 */
function readFamilies(text: string, labels: Labels): Family[] {
  const families = new Map<string, Family>();
  const added = writeLabels(labels).slice(1, -1);
  let current: Family | undefined;
  for (const line of text.split("\n")) {
    const [, kind, name = "", rest = ""] = HEAD.exec(line) ?? [];
    if (kind !== undefined) {
      current = families.get(name) ?? {
        name,
        type: "untyped",
        help: "",
        samples: new Map(),
      };
      families.set(
        name,
        kind === "HELP" ? { ...current, help: rest } : { ...current, type: typeOf(rest) },
      );
      current = families.get(name);
      continue;
    }
    const [, series, given = "", value = ""] = SAMPLE.exec(line) ?? [];
    if (series === undefined || !current || !series.startsWith(current.name)) continue;
    current.samples.set(
      `${series}{${[added, given].filter(Boolean).join(",")}}`,
      Number(value.replace("Inf", "Infinity")),
    );
  }
  return [...families.values()];
}

const typeOf = (text: string) =>
  TYPES.includes(text) ? (text as MetricType) : "untyped";

/**
 * Merges metrics so that each name exists once. If processes of several releases disagree about the
 * type, only the samples of the first type are kept.
 */
function mergeFamilies(families: readonly Family[]): Family[] {
  const merged = new Map<string, Family>();
  for (const family of families) {
    const known = merged.get(family.name);
    if (!known) merged.set(family.name, { ...family, samples: new Map(family.samples) });
    else if (known.type === family.type)
      for (const [series, value] of family.samples) known.samples.set(series, value);
  }
  return [...merged.values()];
}
