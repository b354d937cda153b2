/** Returns a text of at most `longest` characters as it is, else its beginning and an ellipsis. */
export const shortened = (text: string, longest: number): string =>
  text.length > longest ? `${text.slice(0, longest)}…` : text;
