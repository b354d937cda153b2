import type { End } from "../../../activities/registries/contract.ts";
import { TransferError, type FailureKind } from "../../../domain/failure.ts";
import { readWhole } from "../../servers/faulty-bodies.ts";
import { during, on, type Faults, type Rule } from "../../servers/faulty.ts";
import type { FaultProxy } from "../../servers/proxy.ts";
import { describeOne, listAll, onceFor, using } from "./reading.ts";
import { ABILITIES, type Rig, type Sample } from "./rig.ts";
import { contentOf, deliver, pieces, withParts } from "./writing.ts";

/** One thing that connectors do, as the cases about bad luck ask for it. */
export type Operation = {
  name: "list" | "describe" | "open" | "stat" | "put" | "write";
  proxy: FaultProxy;
  /** The requests that it is made of. */
  breaks: (faults: Faults) => Rule;
  run: (changes: Partial<End>, signal: AbortSignal) => Promise<unknown>;
};

/** An error in the words of its end. `kind` null: only the outcome is known. */
export type Trouble = { kind: FailureKind | null; retryable: boolean; notBefore: number | null; message: string; error: unknown };

/** All that the connector can do, about an artifact that is there at both ends and one that is not there yet. */
export const operations = onceFor(async (rig): Promise<Operation[]> => {
  const { connector, from, to } = rig;
  const there = rig.sample();
  await from.fill(there);
  if (from !== to && connector.target !== undefined) await to.fill(there);
  const reading = { proxy: from.proxy, breaks: (faults: Faults) => on({ does: "ask" }, faults) };
  const writing = { proxy: to.proxy, breaks: (faults: Faults) => on({ does: "write" }, faults) };
  const all: Operation[] = [];
  if (ABILITIES.list(connector)) {
    const wanted = rig.named([there.artifact.name]);
    all.push({ name: "list", ...reading, run: (changes, signal) => using(connector.lister?.(from.end(changes)), (lister) => listAll(lister, wanted, signal)) });
  }
  if (ABILITIES.read(connector)) all.push(...(await readingOf(rig, there)).map((each) => ({ ...each, ...reading })));
  if (ABILITIES.put(connector, to)) {
    const stat: Operation["run"] = (changes, signal) => withParts(rig, changes, (target) => target.stat(there.artifact, true, signal));
    all.push({ name: "stat", proxy: to.proxy, breaks: reading.breaks, run: stat });
    all.push({ name: "put", ...writing, run: putting(rig) });
  } else if (ABILITIES.write(connector)) all.push({ name: "write", ...writing, run: delivering(rig) });
  return all;
});

async function readingOf(rig: Rig, there: Sample): Promise<Pick<Operation, "name" | "run">[]> {
  const { connector, from } = rig;
  const source = (changes: Partial<End>) => connector.source?.(from.end(changes));
  const artifact = await using(source({}), (opened) => describeOne(opened, there));
  const part = artifact?.parts.at(-1);
  if (artifact === null || part === undefined) throw new Error("what was filled in is not described");
  return [
    { name: "describe", run: (changes, signal) => using(source(changes), (opened) => describeOne(opened, there, signal)) },
    {
      name: "open",
      run: (changes, signal) => using(source(changes), async (opened) => (await readWhole((await opened.open(artifact, part, 0, signal)).chunks)).length),
    },
  ];
}

/** Of an artifact that is not there yet, each time. */
const putting =
  (rig: Rig): Operation["run"] =>
  (changes, signal) => {
    const { artifact, contents } = rig.sample();
    const { content } = contentOf((part, offset) => pieces(contents, part, offset), { signal });
    return withParts(rig, changes, (target) => target.put(artifact, artifact.parts, content));
  };

const delivering =
  (rig: Rig): Operation["run"] =>
  async (changes, signal) => {
    const delivery = await deliver(rig, rig.sample(), { changes, signal });
    if (delivery.kind !== "again" && delivery.kind !== "failed") return delivery;
    const { kind, reason: message, notBefore } = delivery;
    throw new Told({ kind: null, retryable: kind === "again", notBefore, message, error: delivery });
  };

/** Trouble that came as an outcome. */
class Told extends Error {
  readonly trouble: Trouble;
  constructor(trouble: Trouble) {
    super(trouble.message);
    this.trouble = trouble;
  }
}

export type Tried = { trouble: Trouble } | { answer: unknown };

/** What the operation answers under these faults, or its trouble. */
export async function trying({ proxy, breaks, run }: Operation, faults: Faults, changes: Partial<End> = {}): Promise<Tried> {
  return troubleOf(during(proxy, breaks(faults), () => run(changes, new AbortController().signal)).then(({ answer }) => answer));
}

export const troubleOf = (work: Promise<unknown>): Promise<Tried> =>
  work.then(
    (answer) => ({ answer }),
    (error: unknown) => {
      if (error instanceof Told) return { trouble: error.trouble };
      if (!(error instanceof TransferError)) throw error;
      const { kind, retryable, notBefore = null, message } = error;
      return { trouble: { kind, retryable, notBefore, message, error } };
    },
  );
