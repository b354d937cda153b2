import { elapsed } from "../../domain/elapsed.ts";

/** Most upload sessions that are open at a time: of one owner, such as a repository, and of all. */
const MOST_OF_ONE = 1_000;
const MOST_SESSIONS = 4_000;
/** A session with bytes may make room for another once it has got none for this long (ms). */
const IDLE_MS = 3_600_000;

export type OpenSessions = ReturnType<typeof createOpenSessions>;

type Session = { owner: string; isEmpty: boolean; used: number };

/**
 * Keeps account of the open upload sessions, so that nobody can open them without end: where there are too many, the
 * oldest one without bytes makes room, or one that has been idle for an hour. `now`: ms of a clock that only goes
 * forward.
 */
export function createOpenSessions(now = elapsed) {
  /** In the order of their last use. */
  const sessions = new Map<string, Session>();
  const owners = new Map<string, number>();
  let refused = 0;

  function add(id: string, session: Session): void {
    sessions.set(id, session);
    owners.set(session.owner, (owners.get(session.owner) ?? 0) + 1);
  }

  function remove(id: string): void {
    const session = sessions.get(id);
    if (session === undefined) return;
    sessions.delete(id);
    const left = (owners.get(session.owner) ?? 1) - 1;
    if (left > 0) owners.set(session.owner, left);
    else owners.delete(session.owner);
  }

  function toGiveUp(candidates: [string, Session][]): string | undefined {
    const [eldest] = candidates;
    const empty = candidates.find(([, { isEmpty }]) => isEmpty);
    if (empty) return empty[0];
    return eldest && now() - eldest[1].used >= IDLE_MS ? eldest[0] : undefined;
  }

  return {
    remove,
    /** Returns how many sessions were not admitted. */
    refused: () => refused,
    /** Notes a session that an earlier process has left; its owner is not known any more. */
    found: (id: string, isEmpty: boolean) => add(id, { owner: "", isEmpty, used: now() }),
    /**
     * Notes a new session. Returns the ids of sessions that must end for it, at most one; null: there are too many, and
     * none can end, so the new one is not noted.
     */
    admit(id: string, owner: string): string[] | null {
      const isOwnerFull = (owners.get(owner) ?? 0) >= MOST_OF_ONE;
      const given: string[] = [];
      if (isOwnerFull || sessions.size >= MOST_SESSIONS) {
        const candidates = [...sessions];
        const gone = toGiveUp(
          isOwnerFull
            ? candidates.filter(([, session]) => session.owner === owner)
            : candidates,
        );
        if (gone === undefined) {
          refused += 1;
          return null;
        }
        remove(gone);
        given.push(gone);
      }
      add(id, { owner, isEmpty: true, used: now() });
      return given;
    },
    /** Notes that a session gets bytes. */
    use(id: string): void {
      const session = sessions.get(id);
      if (session === undefined) return;
      sessions.delete(id);
      sessions.set(id, { ...session, isEmpty: false, used: now() });
    },
  };
}
