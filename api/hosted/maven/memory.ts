import type { Store } from "../../../activities/store/store.ts";
import { createChecksums, createExpectations } from "./checksums.ts";
import { createSerial } from "./serial.ts";

/** What is remembered between requests for hosted Maven repositories. */
export type MavenMemory = ReturnType<typeof createMemory>;

const createMemory = (store: Store) => ({
  checksumOf: createChecksums(store),
  expectations: createExpectations(),
  merging: createSerial(),
});

const memories = new WeakMap<Store, MavenMemory>();

/** One memory for all routes over the same content. */
export function mavenMemory(store: Store): MavenMemory {
  const known = memories.get(store) ?? createMemory(store);
  memories.set(store, known);
  return known;
}
