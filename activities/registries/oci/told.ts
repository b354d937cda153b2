import { setBounded } from "../../../domain/bounded.ts";
import { TransferError } from "../../../domain/failure.ts";

/**
 * What a registry tells about something: it is there, it is absent (most often a 404), or neither. `untold` is
 * a permanent refusal (`refusal`): some registries answer 401 or 403 for missing content, or do not support
 * HEAD, or let a user write who may not read.
 */
export type Told<T> = { kind: "there"; value: T } | { kind: "absent" } | Untold;
type Untold = { kind: "untold"; refusal: TransferError };

/**
 * Statuses of permanent refusals: 501, and 400 to 499 except 408 and 429, which may pass, and 407, which is
 * that of a proxy.
 */
export const REFUSALS: readonly number[] = [
  ...Array.from({ length: 100 }, (_, at) => 400 + at).filter(
    (status) => ![407, 408, 429].includes(status),
  ),
  501,
];

/**
 * A kind of request (`Question`) is not sent any more after this number of refusals in a row; the newest of
 * them stands for the answer.
 */
const MOST_REFUSALS = 3;
/** Maximum number of repositories whose lists of tags are kept. */
const MOST_LISTS = 200;

/**
 * Kinds of request that a registry may refuse although the requested thing exists. `HEAD listed` and
 * `GET listed` ask for the manifest of a tag that is in the registry's list of tags, so it exists: a
 * refusal there means that the registry refuses this kind of request in general.
 */
type Question =
  | "HEAD manifest"
  | "GET manifest"
  | "HEAD listed"
  | "GET listed"
  | "tags"
  | "referrers"
  | "HEAD blob"
  | "GET blob"
  | "mount";

/**
 * Records which kinds of request one registry has refused so far, so that they are not repeated for
 * each image. Losing these records only costs requests.
 */
export type Manners = {
  /**
   * Calls `ask`, which sends the request. Returns `untold` without calling it if the registry has refused
   * MOST_REFUSALS requests of this kind in a row.
   */
  ask: <T>(question: Question, ask: () => Promise<Told<T>>) => Promise<Told<T>>;
  /**
   * Whether the registry has ever refused to report if a manifest exists. If so, the list of tags is read
   * before a tag is asked for.
   */
  refusesManifests: () => boolean;
  /**
   * Returns the remembered tags of a repository, or else those that `list` returns; null when the registry does
   * not list them.
   */
  tags: (
    name: string,
    list: () => Promise<Set<string> | null>,
  ) => Promise<ReadonlySet<string> | null>;
  /** Records that a tag was written, so that it counts as listed from now on. */
  wrote: (name: string, tag: string) => void;
};

export function createManners(): Manners {
  const refused = new Map<Question, { times: number; last: Untold }>();
  const lists = new Map<string, Promise<Set<string> | null>>();
  let refusesManifests = false;
  return {
    async ask(question, ask) {
      const before = refused.get(question);
      if (before !== undefined && before.times >= MOST_REFUSALS)
        return silent(before.last);
      const told = await ask();
      if (told.kind !== "untold") refused.delete(question);
      else
        refused.set(question, {
          times: (refused.get(question)?.times ?? 0) + 1,
          last: told,
        });
      refusesManifests ||= told.kind === "untold" && question.endsWith("manifest");
      return told;
    },
    refusesManifests: () => refusesManifests,
    async tags(name, list) {
      const listed = lists.get(name) ?? list();
      setBounded(lists, name, listed, MOST_LISTS);
      return listed.catch((error: unknown) => {
        lists.delete(name);
        throw error;
      });
    },
    wrote: (name, tag) =>
      void lists.get(name)?.then(
        (tags) => tags?.add(tag),
        () => undefined,
      ),
  };
}

/**
 * Builds the answer for a request that is not sent, because the registry refused MOST_REFUSALS others of its
 * kind in a row; its error quotes the newest refusal.
 */
function silent({ refusal }: Untold): Untold {
  const { kind, message } = refusal;
  return {
    kind: "untold",
    refusal: new TransferError(
      kind,
      `the registry refused to answer ${MOST_REFUSALS} such requests; the most recent refusal: ${message}`,
      {
        cause: refusal,
      },
    ),
  };
}

/**
 * Returns the value, or null when the thing does not exist; throws the refusal when the registry
 * reports neither.
 */
export function orRefused<T>(told: Told<T>): T | null {
  if (told.kind === "untold") throw told.refusal;
  return told.kind === "there" ? told.value : null;
}

/**
 * Builds the error for a write that is not made because it might replace something. `what`: the thing
 * that may exist at `host`.
 */
export function cannotTell(
  what: string,
  host: string,
  { refusal }: Untold,
): TransferError {
  return new TransferError(
    "invalid",
    `cannot tell whether ${what} exists at ${host}, so it is written only with the conflict strategy OVERWRITE: ` +
      refusal.message,
    { cause: refusal },
  );
}
