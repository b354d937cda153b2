import { writeFamilies } from "./exposition.ts";
import { toFamilies } from "./families.ts";
import type { Others } from "./others.ts";
import type { Watch } from "./contract.ts";
import { createProblems } from "./problems.ts";
import { createProcessMetrics } from "./process.ts";
import { createSignals, type Signals, type Sources } from "./signals.ts";
import type { SampleDeps } from "./sample.ts";
import { createSurvey } from "./survey.ts";
import { isFresh } from "../../domain/elapsed.ts";

type WatchDeps = SampleDeps & {
  localClusterName: string;
  signals?: Signals;
  sources?: Sources;
  others?: Pick<Others, "read">;
};

const NOTHING_KNOWN: Sources = {
  slow: () => [],
  unbegun: () => [],
  workers: () => [],
  certificate: () => null,
  passwordWeakness: () => null,
};
const LOOK_MS = 15_000;
const FRESH_MS = 1_000;

export function createWatch({
  signals: given,
  sources = NOTHING_KNOWN,
  others,
  ...deps
}: WatchDeps): Watch {
  const signals = given ?? createSignals(deps.now);
  const survey = createSurvey({ ...deps, signals, sources });
  const problems = createProblems();
  let own: ReturnType<typeof createProcessMetrics> | undefined;
  let last: { at: number; text: Promise<string> } | null = null;

  async function write(): Promise<string> {
    own ??= createProcessMetrics();
    const seen = await survey();
    problems(seen);
    const families = [
      ...toFamilies(seen, deps.localClusterName),
      ...((await others?.read()) ?? []),
    ];
    return writeFamilies(families) + (await own.text());
  }

  return {
    metrics() {
      if (last === null || !isFresh(last.at, FRESH_MS, deps.now())) {
        const text = write();
        const taken = { at: deps.now(), text };
        last = taken;
        text.catch(() => last === taken && (last = null));
      }
      return last.text;
    },
    problems: async () => problems(await survey()),
    checked: signals.checked,
    start() {
      // A failed survey is not logged here, because the next scrape fails as well and is logged.
      const timer = setInterval(
        () => void survey().then(problems, () => undefined),
        LOOK_MS,
      );
      return () => {
        clearInterval(timer);
        own?.stop();
      };
    },
  };
}
