import { TransferError } from "../../../domain/failure.ts";

/**
 * A registry's answer to "does it exist?": 200 is yes, 404 is no. Any other permanent refusal says neither: some
 * registries answer 401 or 403 for missing content, some do not support HEAD, some let a user write who may not read.
 * `refusal`: the last of them.
 */
export type Told<T> = { kind: "there"; value: T } | { kind: "absent" } | Untold;
type Untold = { kind: "untold"; refusal: TransferError };

/** Statuses of permanent refusals. Temporary ones (408, 429, 5xx) and the proxy's own (407) are left out. */
export const REFUSALS: readonly number[] = [
  ...Array.from({ length: 100 }, (_, at) => 400 + at).filter(
    (status) => ![407, 408, 429].includes(status),
  ),
  501,
];

/** A question is no longer asked after this number of refusals in a row. */
const MOST_REFUSALS = 3;
/** Limit of the names whose lists of tags are kept. */
const MOST_LISTS = 200;

/**
 * The kinds of question. `listed`: about a tag that the list of tags contains, so only a registry that never answers
 * refuses it.
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
 * The refusals of one registry so far, so that a thousand images do not each ask in vain. Losing them only costs
 * requests.
 */
export type Manners = {
  /** Asks, unless the registry has refused this question too often. */
  ask: <T>(question: Question, ask: () => Promise<Told<T>>) => Promise<Told<T>>;
  /** Whether the registry ever refused to say if a manifest exists; the list of tags is then asked first. */
  refusesManifests: () => boolean;
  /** Returns the tags of a name, listed once; null when the registry does not list them. */
  tags: (
    name: string,
    list: () => Promise<Set<string> | null>,
  ) => Promise<ReadonlySet<string> | null>;
  /** Records that a tag was written and exists from now on. */
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
      lists.set(name, listed);
      const [oldest] = lists.keys();
      if (lists.size > MOST_LISTS && oldest !== undefined) lists.delete(oldest);
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

/** Makes the refusal of a question that is no longer asked, from earlier refusals. */
function silent({ refusal }: Untold): Untold {
  const { kind, message } = refusal;
  return {
    kind: "untold",
    refusal: new TransferError(
      kind,
      `the registry refused to say so for ${MOST_REFUSALS} others, most recently for ${message}`,
      {
        cause: refusal,
      },
    ),
  };
}

/** Returns the value, or null when it does not exist; throws the refusal of a registry that says neither. */
export function orRefused<T>(told: Told<T>): T | null {
  if (told.kind === "untold") throw told.refusal;
  return told.kind === "there" ? told.value : null;
}

/** Makes the error for a write that would be a guess. `what`: the thing that may exist at `host`. */
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
