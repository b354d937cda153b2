import type { End } from "../../../activities/registries/contract.ts";
import { TransferError, type FailureKind } from "../../../domain/failure.ts";
import { readWhole } from "../../rigs/servers/faulty-bodies.ts";
import {
  during,
  faultOf,
  on,
  SAFE,
  watching,
  type Faults,
  type Rule,
} from "../../rigs/servers/faulty.ts";
import type { FaultProxy } from "../../rigs/servers/proxy.ts";
import { describeOne, listAll, onceFor, using } from "./reading.ts";
import { ABILITIES, type Rig, type Sample, wire } from "./rig.ts";
import { contentOf, deliver, pieces, withParts } from "./writing.ts";

/** One operation of a connector, for the cases about failures. */
export type Operation = {
  kind: "list" | "describe" | "open" | "stat" | "put" | "write";
  /** The operation's name in the messages of failed tests. */
  name: string;
  proxy: FaultProxy | null;
  /** Applies faults to the requests of the operation. */
  breaks: (faults: Faults) => Rule;
  run: (changes: Partial<End>, signal: AbortSignal) => Promise<unknown>;
};

const named = <K extends Operation["kind"]>(kind: K) => ({ kind, name: kind });

/** Sizes in bytes of artifacts that are written in few requests, and in several. */
const SMALL = 1_000;
export const LARGE = 1.5 * 1024 * 1024;

/**
 * A failure as the connector reports it. `kind` is null if it was reported as an outcome, which has no
 * kind.
 */
export type Trouble = {
  kind: FailureKind | null;
  retryable: boolean;
  notBefore: number | null;
  message: string;
  error: unknown;
};

/** All operations of the connector, on an artifact that exists at both ends and on new ones. */
export const operations = onceFor(async (rig): Promise<Operation[]> => {
  const { connector, from, to } = rig;
  const there = rig.sample();
  await from.fill(there);
  if (from !== to && connector.target !== undefined) await to.fill(there);
  const reading = {
    proxy: from.proxy,
    breaks: (faults: Faults) => on({ does: "ask" }, faults),
  };
  const writing = {
    proxy: to.proxy,
    breaks: (faults: Faults) => on({ does: "write" }, faults),
  };
  const all: Operation[] = [];
  if (ABILITIES.list(rig)) {
    const wanted = rig.named([there.artifact.name]);
    all.push({
      ...named("list"),
      ...reading,
      run: (changes, signal) =>
        using(connector.lister?.(from.end(changes), rig.type), (lister) =>
          listAll(lister, wanted, signal),
        ),
    });
  }
  if (ABILITIES.read(rig))
    all.push(...(await readingOf(rig, there)).map((each) => ({ ...each, ...reading })));
  if (ABILITIES.put(rig)) {
    const stat: Operation["run"] = (changes, signal) =>
      withParts(rig, changes, (target) => target.stat(there.artifact, true, signal));
    all.push({ ...named("stat"), proxy: to.proxy, breaks: reading.breaks, run: stat });
    all.push({ ...named("put"), ...writing, run: putting(rig) });
  } else if (connector.target !== undefined) all.push(...(await settlingOf(rig)));
  else if (connector.copier !== undefined)
    all.push({ ...named("write"), ...writing, run: delivering(rig) });
  return all.filter(({ kind }) => rig.waits?.some((each) => each === kind) !== true);
});

async function readingOf(
  rig: Rig,
  there: Sample,
): Promise<Pick<Operation, "kind" | "name" | "run">[]> {
  const { connector, from } = rig;
  const source = (changes: Partial<End>) =>
    connector.source?.(from.end(changes), rig.type);
  const artifact = await using(source({}), (opened) => describeOne(opened, there));
  const part = artifact?.parts.at(-1);
  if (artifact === null || part === undefined)
    throw new Error("what was filled in is not described");
  return [
    {
      ...named("describe"),
      run: (changes, signal) =>
        using(source(changes), (opened) => describeOne(opened, there, signal)),
    },
    {
      ...named("open"),
      run: (changes, signal) =>
        using(
          source(changes),
          async (opened) =>
            (await readWhole((await opened.open(artifact, part, 0, signal)).chunks))
              .length,
        ),
    },
  ];
}

/** Writes a new artifact each time. */
const putting =
  (rig: Rig): Operation["run"] =>
  (changes, signal) => {
    const { artifact, contents } = rig.sample();
    const { content } = contentOf((part, offset) => pieces(contents, part, offset), {
      signal,
    });
    return withParts(rig, changes, (target) =>
      target.put(artifact, artifact.parts, content),
    );
  };

/** The request with index `step` in a write of `size` bytes; the requests before it succeed. */
export type Step = { size: number; step: number };

/**
 * Lists the changing requests (not GET, HEAD …) in the writes of a small and of a large artifact.
 * Requests with which both writes begin are listed once.
 */
export const stepsOf = onceFor(async (rig): Promise<Step[]> => {
  const few = await countWrites(rig, SMALL);
  const many = await countWrites(rig, LARGE);
  const small = Array.from({ length: few }, (_, step) => ({ size: SMALL, step }));
  return [
    ...small,
    ...Array.from({ length: many - few + 1 }, (_, at) => ({
      size: LARGE,
      step: few - 1 + at,
    })),
  ];
});

async function countWrites(rig: Rig, size: number): Promise<number> {
  const { requests } = await watching(rig.to.proxy, () =>
    deliver(rig, rig.sample({ size })),
  );
  return requests.filter(({ method }) => !SAFE.includes(method)).length;
}

/** Returns one operation for each request of a write; that request and all later ones fail. */
const settlingOf = async (rig: Rig): Promise<Operation[]> =>
  (await stepsOf(rig)).map(({ size, step }) => ({
    kind: "write",
    name: `the write of ${size} bytes from its request ${step} on`,
    proxy: rig.to.proxy,
    breaks: (faults) =>
      on({ does: "write" }, (at, asked) =>
        at < step ? null : faultOf(faults, at - step, asked),
      ),
    run: delivering(rig, size),
  }));

const delivering =
  (rig: Rig, size: number = SMALL): Operation["run"] =>
  async (changes, signal) => {
    const delivery = await deliver(rig, rig.sample({ size }), { changes, signal });
    if (delivery.kind !== "again" && delivery.kind !== "failed") return delivery;
    const { kind, reason: message, notBefore, failure } = delivery;
    throw new Told({
      kind: failure?.kind ?? null,
      retryable: kind === "again",
      notBefore,
      message,
      error: delivery,
    });
  };

/** Thrown for a failure that was reported as an outcome and not as an error. */
class Told extends Error {
  readonly trouble: Trouble;
  constructor(trouble: Trouble) {
    super(trouble.message);
    this.trouble = trouble;
  }
}

type Tried = { trouble: Trouble } | { answer: unknown };

/** Runs the operation under these faults and returns its answer or its failure. */
export async function trying(
  operation: Operation,
  faults: Faults,
  changes: Partial<End> = {},
): Promise<Tried> {
  const { breaks, run } = operation;
  return troubleOf(
    during(wire(operation), breaks(faults), () =>
      run(changes, new AbortController().signal),
    ).then(({ answer }) => answer),
  );
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
