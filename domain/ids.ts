const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const random = (length: number) => hex(globalThis.crypto.getRandomValues(new Uint8Array(length)));

/** 24 hex digits, the first 8 of them the seconds of its making, so that ids sort by age. */
export function newId(now = Date.now()): string {
  return (
    Math.floor(now / 1000)
      .toString(16)
      .padStart(8, "0") + random(8)
  );
}

/** 32 hex digits: the key of a task. */
export const newKey = (): string => random(16);
