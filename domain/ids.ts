const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const random = (length: number) =>
  hex(globalThis.crypto.getRandomValues(new Uint8Array(length)));

/** Returns 24 hex digits, of which the first 8 are the seconds of creation, so that ids sort by age. */
export function newId(now = Date.now()): string {
  return (
    Math.floor(now / 1000)
      .toString(16)
      .padStart(8, "0") + random(8)
  );
}

/** Returns 32 random hex digits, for example as the key of a task. */
export const newKey = (): string => random(16);
