/**
 * A sentence that people may read in an answer of the API, in both of its languages. Logs, records and `Error.message`
 * have the English.
 */
export type Text = { readonly en: string; readonly zh: string };

export const text = (en: string, zh: string): Text => ({ en, zh });

/** Puts the name of a field or part before a sentence: `name: write 2 to 256 characters`. */
export const named = (name: string, { en, zh }: Text): Text =>
  text(`${name}: ${en}`, `${name}：${zh}`);

/** An error whose reason the API answers with; `message` is the English. */
export class TextError extends Error {
  readonly text: Text;

  constructor(reason: Text, options?: ErrorOptions) {
    super(reason.en, options);
    this.text = reason;
  }
}

/** Lists words of which one is to be chosen: `A, B or C`. */
export function anyOf(words: readonly string[]): Text {
  const [last = "", ...others] = words.toReversed();
  const first = others.toReversed();
  return first.length === 0
    ? text(last, last)
    : text(`${first.join(", ")} or ${last}`, `${first.join("、")} 或 ${last}`);
}
