import type { Artifact } from "../../../domain/artifact.ts";
import type {
  Connector,
  End,
  Selection,
} from "../../../activities/registries/contract.ts";
import type { FailureKind } from "../../../domain/failure.ts";
import type { RepositoryType } from "../../../domain/vocabulary.ts";
import type { Rule } from "../../rigs/servers/faulty.ts";
import type { FaultProxy } from "../../rigs/servers/proxy.ts";

/** An artifact made for tests, with the contents of its parts by their path. */
export type Sample = { artifact: Artifact; contents: ReadonlyMap<string, Buffer> };

/** A real server behind the faulty proxy, with operations of its own client, which is not our code. */
export type RealEnd = {
  /** null: the end is not reached over a network (a folder), so nothing can fail on the way. */
  proxy: FaultProxy | null;
  /** The end at the proxy's address, with a login that may do everything; `changes` replace parts of it. */
  end: (changes?: Partial<End>) => End;
  /** Stores an artifact on the server by the server's own client. */
  fill: (sample: Sample) => Promise<void>;
  /** Reads the server's contents by the path of their part; null when the artifact does not exist. */
  read: (sample: Sample) => Promise<ReadonlyMap<string, Buffer> | null>;
  /** Deletes an artifact that `fill` put there. */
  remove: (sample: Sample) => Promise<void>;
};

/**
 * The wanted sample: about `size` bytes; `beside`: another version of that sample's name, if versions exist; `instead`:
 * other content in that sample's place.
 */
export type Wanted = { size?: number; beside?: Sample; instead?: Sample };

/** The connector under test. The product's own store has no check, because nobody configures it. */
export type Judged = Omit<Connector, "check"> & Partial<Pick<Connector, "check">>;

export type Rig = {
  connector: Judged;
  type: RepositoryType;
  /** The end to read from and the end to write to; they may be the same. */
  from: RealEnd;
  to: RealEnd;
  /** Makes an artifact that is new to every server, apart from what `Wanted` names. */
  sample: (wanted?: Wanted) => Sample;
  /** Selects the artifacts with these names only. */
  named: (names: readonly string[]) => Selection;
  /**
   * Pages that never end, and a page that names itself as the next one; created for each use. Absent: a listing has one
   * page.
   */
  pages?: { endless: () => Rule; repeating: () => Rule };
  /** False statements that a server of this protocol can make, besides those of every HTTP server. */
  lies: readonly { lie: string; rule: () => Rule }[];
  /**
   * Failure kinds of statuses that come without a body of the protocol, if they differ from the usual
   * kinds.
   */
  bare?: Partial<Record<number, FailureKind>>;
  /** Bodies of the protocol that contain `message`, in a refusal or wherever else a server may show it. */
  sayings?: (message: string) => string[];
  /** Makes an artifact with one part of `size` bytes, as its source describes it; its digest is not checked. */
  large: (size: number) => Artifact;
  /** Operations that wait until their end recovers, instead of failing. */
  waits?: readonly ("describe" | "list")[];
  /** The server's answer to a successful write, used for the large artifact, which never reaches the server. */
  takes: { status: number; body: string };
  close: () => Promise<void>;
};

/** The abilities that cases need. A connector lacks an ability if it lacks the method. */
export const ABILITIES = {
  check: ({ connector }) => connector.check !== undefined,
  list: ({ connector }) => connector.lister !== undefined,
  read: ({ connector }) => connector.source !== undefined,
  put: (rig) => "stat" in targetOf(rig),
  reread: (rig) => "open" in targetOf(rig),
  write: ({ connector: { target, copier } }) =>
    target !== undefined || copier !== undefined,
  wire: ({ from, to }) => from.proxy !== null && to.proxy !== null,
} satisfies Record<string, (rig: Rig) => boolean>;
type Ability = keyof typeof ABILITIES;

/** The reason why a case does not apply to a connector without the ability. */
export const LACKING = {
  check: "it has no check",
  list: "it does not list artifacts",
  read: "it does not read artifacts",
  put: "it does not accept single parts",
  reread: "its target cannot be read back",
  write: "it does not write artifacts",
  wire: "it is not reached over a network",
} satisfies Record<Ability, string>;

function targetOf({ connector, type, to }: Rig): object {
  const target = connector.target?.(to.end(), type);
  void target?.close();
  return target ?? {};
}

/** Returns the faulty proxy before an end, for cases that need it. */
export function wire({ proxy }: Pick<RealEnd, "proxy">): FaultProxy {
  if (proxy === null)
    throw new Error('the case breaks the way to its end: it needs "wire"');
  return proxy;
}

export type Case = { needs: readonly Ability[]; run: (rig: Rig) => Promise<void> };
