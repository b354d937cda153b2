import type { Artifact } from "../../../domain/artifact.ts";
import type { Connector, End, Selection } from "../../../activities/registries/contract.ts";
import type { FailureKind } from "../../../domain/failure.ts";
import type { RepositoryType } from "../../../domain/vocabulary.ts";
import type { Rule } from "../../servers/faulty.ts";
import type { FaultProxy } from "../../servers/proxy.ts";

/** An artifact made for tests, with the contents of its parts by their path. */
export type Sample = { artifact: Artifact; contents: ReadonlyMap<string, Buffer> };

/** A real server behind the faulty proxy, and what is done there by something that is not our code: its own client. */
export type RealEnd = {
  proxy: FaultProxy;
  /** At the proxy's address, with a login that may do everything, or so changed. */
  end: (changes?: Partial<End>) => End;
  /** Puts an artifact there. */
  fill: (sample: Sample) => Promise<void>;
  /** The contents that are there by the parts' path; null where nothing of the artifact is. */
  read: (sample: Sample) => Promise<ReadonlyMap<string, Buffer> | null>;
  /** Deletes an artifact that was filled in. */
  remove: (sample: Sample) => Promise<void>;
};

/** What to make: of about `size` bytes; `beside`: another version of that one's name, where there are versions; `instead`: other content in its place. */
export type Wanted = { size?: number; beside?: Sample; instead?: Sample };

/** What is judged. The product's own store is no connector: nobody configures it, so it has no check. */
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
  /** Pages that never end, and a page that names itself as the next one; made anew for each use. Absent: a listing is one page. */
  pages?: { endless: () => Rule; repeating: () => Rule };
  /** What a server of this protocol can say that is not so, beside what every HTTP server can. */
  lies: readonly { lie: string; rule: () => Rule }[];
  /** What a status means that comes without an answer in the protocol's own words, where that is not what it means everywhere. */
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
  check: ({ check }) => check !== undefined,
  list: ({ lister }) => lister !== undefined,
  read: ({ source }) => source !== undefined,
  /** Facts and parts, one by one. */
  put: ({ target }, to) => target !== undefined && "stat" in openTarget(target, to),
  /** The target's own bytes. */
  reread: ({ target }, to) => target !== undefined && "open" in openTarget(target, to),
  /** In whatever way. */
  write: ({ target, copier }) => target !== undefined || copier !== undefined,
} satisfies Record<string, (connector: Judged, to: RealEnd) => boolean>;
export type Ability = keyof typeof ABILITIES;

function openTarget(open: NonNullable<Connector["target"]>, to: RealEnd): object {
  const target = open(to.end());
  void target.close();
  return target;
}

export type Case = { needs: readonly Ability[]; run: (rig: Rig) => Promise<void> };
