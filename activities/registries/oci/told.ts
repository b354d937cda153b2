import { TransferError } from "../../../domain/failure.ts";

/**
 * What a registry says to "is it there?": 200 is yes, 404 is no. Every other refusal that would be the same at the next
 * try says neither: some answer 401 or 403 for what is not there, some know no HEAD, some let a user write who may not
 * read. `refusal`: the last of them.
 */
export type Told<T> = { kind: "there"; value: T } | { kind: "absent" } | Untold;
type Untold = { kind: "untold"; refusal: TransferError };

/** Statuses of refusals: what passes (408, 429, 5xx) and what a proxy wants for itself (407) are left out. */
export const REFUSALS: readonly number[] = [
  ...Array.from({ length: 100 }, (_, at) => 400 + at).filter((status) => ![407, 408, 429].includes(status)),
  501,
];

/** After so many refusals in a row, with no answer among them, a question is not asked any more. */
const MOST_REFUSALS = 3;
/** Names whose lists of tags are kept. */
const MOST_LISTS = 200;

/** `listed`: of a tag that is known to be there, so that only a registry that never says more refuses it. */
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
 * What one registry has refused so far, so that a thousand images do not each ask in vain. To lose it costs requests,
 * nothing else.
 */
export type Manners = {
  /** Asks unless that is in vain. */
  ask: <T>(question: Question, ask: () => Promise<Told<T>>) => Promise<Told<T>>;
  /** A registry that has ever refused to say whether a manifest is there is first asked for the list of tags. */
  refusesManifests: () => boolean;
  /** The tags of a name, listed once; null = they are not told. */
  tags: (name: string, list: () => Promise<Set<string> | null>) => Promise<ReadonlySet<string> | null>;
  /** A tag was written, and is there from now on. */
  wrote: (name: string, tag: string) => void;
};

export function createManners(): Manners {
  const refused = new Map<Question, { times: number; last: Untold }>();
  const lists = new Map<string, Promise<Set<string> | null>>();
  let refusesManifests = false;
  return {
    async ask(question, ask) {
      const before = refused.get(question);
      if (before !== undefined && before.times >= MOST_REFUSALS) return silent(before.last);
      const told = await ask();
      if (told.kind !== "untold") refused.delete(question);
      else refused.set(question, { times: (refused.get(question)?.times ?? 0) + 1, last: told });
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

/** The refusal of others for something that was not asked for any more. */
function silent({ refusal }: Untold): Untold {
  const { kind, message } = refusal;
  return {
    kind: "untold",
    refusal: new TransferError(kind, `it refused to say so of ${MOST_REFUSALS} others, the last time for ${message}`, {
      cause: refusal,
    }),
  };
}

/** What is told or nothing; throws the refusal where it is not told. */
export function orRefused<T>(told: Told<T>): T | null {
  if (told.kind === "untold") throw told.refusal;
  return told.kind === "there" ? told.value : null;
}

/** Fails what must not be written on a guess. `what` is the thing that may be there at `host`. */
export function cannotTell(what: string, host: string, { refusal }: Untold): TransferError {
  return new TransferError(
    "invalid",
    `cannot tell whether ${what} is there at ${host}, so it is not written but under OVERWRITE: ${refusal.message}`,
    { cause: refusal },
  );
}
