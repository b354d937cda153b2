import { setBounded } from "../../domain/bounded.ts";
import { DEATHS_TOLD_FOR, REFUSALS_TOLD_FOR } from "../../domain/alerts.ts";
import { elapsed } from "../../domain/elapsed.ts";
import type { Lane } from "../../domain/lanes.ts";
import { type Refusal, REFUSALS } from "../../domain/worker-messages.ts";

/** A transfer worker on any machine. */
export type WorkerSeen = {
  id: string;
  slots: Partial<Record<Lane, { total: number; used: number }>>;
};

/** Functions of other parts of the control plane that return facts for the metrics. */
export type Sources = {
  /** Returns the ids of the clusters that are known to be slow. */
  slow: () => readonly string[];
  /** Returns the keys of the tasks with a firing that cannot begin, one key for each firing. */
  unbegun: () => readonly string[];
  workers: () => readonly WorkerSeen[];
  /** Returns the state of the API's certificate; null without TLS. */
  certificate: () => CertificateInUse | null;
  /** Returns why the administrator's password is easy to guess; null: it is not. */
  passwordWeakness: () => string | null;
};

/**
 * The certificate in use: when it ends (epoch ms), and why files that should replace it cannot be used, since when;
 * null: they can.
 */
export type CertificateInUse = {
  ends: number;
  unusable: { reason: string; since: number } | null;
};

type Refused = { reason: Refusal; worker: string; address: string; since: number };
type Death = { subject: string; deaths: number; at: number };
export type Signals = ReturnType<typeof createSignals>;

const MOST_KEPT = 1_000;
/** Refused workers that are told of one address, and in all: anybody may send any names. */
const MOST_REFUSED = { ofAddress: 5, all: 100 };

/**
 * Remembers events of this process that no table holds. `now` in epoch ms, for what is shown; `ticks`: a clock that
 * nobody sets, by which events are forgotten.
 */
export function createSignals(now: () => number, ticks = elapsed) {
  const refusals = new Map<string, Refused & { last: number }>();
  const credentials = new Map<string, number>();
  let died = { first: 0, again: 0 };
  let deaths: (Death & { last: number })[] = [];
  return {
    /**
     * Notes that a worker was refused; `worker`: the name that the worker sends, "" if it sends
     * none; `address`: where it is.
     */
    refused(reason: Refusal, worker: string, address: string): void {
      const key = `${reason} ${worker}`;
      const known = refusals.get(key);
      const goesOn = known !== undefined && ticks() - known.last < REFUSALS_TOLD_FOR;
      refusals.delete(key);
      const refusal = {
        reason,
        worker,
        address,
        since: goesOn ? known.since : now(),
        last: ticks(),
      };
      const near = [...refusals].filter(([, known]) => known.address === address);
      if (near.length >= MOST_REFUSED.ofAddress) refusals.delete(near[0]?.[0] ?? "");
      setBounded(refusals, key, refusal, MOST_REFUSED.all);
    },
    /** Notes that a worker that had been refused is admitted again. */
    accepted(worker: string): void {
      for (const reason of REFUSALS) refusals.delete(`${reason} ${worker}`);
    },
    /**
     * Notes that a batch was lost with its worker for the `deaths`-th time; `subject` is a readable
     * name of the batch.
     */
    batchDied({ subject, deaths: times }: Omit<Death, "at">): void {
      died =
        times > 1
          ? { ...died, again: died.again + 1 }
          : { ...died, first: died.first + 1 };
      if (times > 1)
        deaths = [
          ...deaths.filter((death) => death.subject !== subject),
          { subject, deaths: times, at: now(), last: ticks() },
        ].slice(-MOST_KEPT);
    },
    /** Notes the result of a connection test; `refused`: the cluster does not accept the credentials. */
    checked(clusterId: string, refused: boolean): void {
      if (!refused) credentials.delete(clusterId);
      else if (!credentials.has(clusterId)) credentials.set(clusterId, now());
    },

    /**
     * Returns the present signals. `credentials`: since when a cluster refuses its credentials, by
     * cluster id.
     */
    look: () => ({
      refusals: [...refusals.values()].filter(
        ({ last }) => ticks() - last < REFUSALS_TOLD_FOR,
      ),
      deaths: {
        ...died,
        recent: deaths.filter(({ last }) => ticks() - last < DEATHS_TOLD_FOR),
      },
      credentials: new Map(credentials),
    }),
  };
}
