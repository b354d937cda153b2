/**
 * How much one conversation with a foreign end may cost. An end beyond a budget is refused for good, with a reason that
 * names the setting: no end can keep a run from ending.
 */
export type Budgets = {
  /** Entries of the list of one image or package: its tags or versions; of all its lists of attachments (MAX_TAGS). */
  maxTags: number;
  /** Pages without an entry, one after the other (MAX_EMPTY_PAGES). */
  maxEmptyPages: number;
  /** Entries of all lists of one object of a task (MAX_LISTED). */
  maxListed: number;
  /** The slowest rate (bytes/s) of a body, over a minute in which we were ready for its bytes (MIN_RATE). */
  minRate: number;
  /** Bytes of a content beyond any size that is stated: all of them where nobody states one (MAX_UNSIZED). */
  maxUnsized: number;
};

export const BUDGETS: Budgets = {
  maxTags: 100_000,
  maxEmptyPages: 100,
  maxListed: 10_000_000,
  minRate: 1024,
  maxUnsized: 16 * 1024 ** 3,
};
