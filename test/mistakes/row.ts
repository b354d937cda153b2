/**
 * A mistake of a user. `ask` builds the request; `name` is one that nothing has yet. `en` and `zh` are words that the
 * message or the warnings must have: what is wrong, with what, and what to do.
 */
export type Mistake = {
  what: string;
  ask: (name: string) => {
    method?: string;
    path: string;
    body?: unknown;
    headers?: Record<string, string>;
    login?: string | null;
  };
  status: number;
  code: number;
  en: RegExp;
  zh: RegExp;
};

/** Words that follow each other, with anything between. */
export const inOrder = (...words: RegExp[]): RegExp =>
  new RegExp(words.map(({ source }) => source).join(".*"), "s");
