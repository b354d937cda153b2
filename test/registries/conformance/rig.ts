import type { Artifact } from "../../../domain/artifact.ts";
import type { Connector, End, Selection } from "../../../activities/registries/contract.ts";
import type { FailureKind } from "../../../domain/failure.ts";
import type { RepositoryType } from "../../../domain/vocabulary.ts";
import type { Rule } from "../../rigs/servers/faulty.ts";
import type { FaultProxy } from "../../rigs/servers/proxy.ts";

/** An artifact made for tests, with the contents of its parts by their path. */
export type Sample = { artifact: Artifact; contents: ReadonlyMap<string, Buffer> };

/** A real server behind the faulty proxy, and what is done there by something that is not our code: its own client. */
export type RealEnd = {
  /** null: no network leads there, such as to a folder, and nothing breaks on the way. */
  proxy: FaultProxy | null;
  /** At the proxy's address, with a login that may do everything, or so changed. */
  end: (changes?: Partial<End>) => End;
  /** Puts an artifact there. */
  fill: (sample: Sample) => Promise<void>;
  /** The contents that are there by the parts' path; null where nothing of the artifact is. */
  read: (sample: Sample) => Promise<ReadonlyMap<string, Buffer> | null>;
  /** Deletes an artifact that was filled in. */
  remove: (sample: Sample) => Promise<void>;
};

/**
 * What to make: of about `size` bytes; `beside`: another version of that one's name, where there are versions;
 * `instead`: other content in its place.
 */
export type Wanted = { size?: number; beside?: Sample; instead?: Sample };

/** The connector that is judged. The product's own store has no check, because nobody configures it. */
export type Judged = Omit<Connector, "check"> & Partial<Pick<Connector, "check">>;

export type Rig = {
  connector: Judged;
  type: RepositoryType;
  /** What is read from and what is written to; they may be the same. */
  from: RealEnd;
  to: RealEnd;
  /** An artifact that no server has seen, but for what `Wanted` says. */
  sample: (wanted?: Wanted) => Sample;
  /** Wants just the artifacts with these names. */
  named: (names: readonly string[]) => Selection;
  /**
   * Pages that never end, and a page that names itself as the next one; made anew for each use. Absent: a listing is
   * one page.
   */
  pages?: { endless: () => Rule; repeating: () => Rule };
  /** What a server of this protocol can say that is not so, beside what every HTTP server can. */
  lies: readonly { lie: string; rule: () => Rule }[];
  /**
   * What a status means that comes without an answer in the protocol's own words, where that is not what it means
   * everywhere.
   */
  bare?: Partial<Record<number, FailureKind>>;
  /** Bodies in the protocol's own words that say `message`, as refusals or wherever else it shows what it is told. */
  sayings?: (message: string) => string[];
  /** An artifact whose one part has so many bytes, as its source describes it; nobody looks at their digest. */
  large: (size: number) => Artifact;
  /** Headers of an answer that has content, beside those that every HTTP server gives. */
  gives?: Record<string, string>;
  /** What waits until its end is well again instead of failing. */
  waits?: readonly ("describe" | "list")[];
  /** How the server answers to a write that it takes; asked for the large artifact, which the server does not get. */
  takes: { status: number; body: string };
  close: () => Promise<void>;
};

/** What a case needs of a connector: a missing ability is a missing method. */
export const ABILITIES = {
  check: ({ connector }) => connector.check !== undefined,
  list: ({ connector }) => connector.lister !== undefined,
  read: ({ connector }) => connector.source !== undefined,
  put: (rig) => "stat" in targetOf(rig),
  reread: (rig) => "open" in targetOf(rig),
  write: ({ connector: { target, copier } }) => target !== undefined || copier !== undefined,
  wire: ({ from, to }) => from.proxy !== null && to.proxy !== null,
} satisfies Record<string, (rig: Rig) => boolean>;
type Ability = keyof typeof ABILITIES;

/** Why a case says nothing of a connector without that ability. */
export const LACKING = {
  check: "nothing checks it",
  list: "it lists nothing",
  read: "it reads nothing",
  put: "it takes no parts one by one",
  reread: "what it wrote cannot be read back",
  write: "it writes nothing",
  wire: "no network leads to it that could break",
} satisfies Record<Ability, string>;

function targetOf({ connector, type, to }: Rig): object {
  const target = connector.target?.(to.end(), type);
  void target?.close();
  return target ?? {};
}

/** What breaks the way to an end, for cases that need it. */
export function wire({ proxy }: Pick<RealEnd, "proxy">): FaultProxy {
  if (proxy === null) throw new Error('the case breaks the way to its end: it needs "wire"');
  return proxy;
}

export type Case = { needs: readonly Ability[]; run: (rig: Rig) => Promise<void> };
