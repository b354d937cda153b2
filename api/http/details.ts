/** Sentences that several answers append to the text of their code. */

export const tooLong = (bytes: number): string => `the body is larger than ${bytes} bytes`;

/** `allowed`: the methods that the path has, separated by commas. */
export const notOffered = (method: string, allowed: string): string =>
  `${method} is not supported here: use ${allowed}`;
