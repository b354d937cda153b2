import type { Store } from "../../../activities/store/store.ts";
import { createChecksums, createExpectations } from "./checksums.ts";
import { createSerial } from "./serial.ts";

/** What hosted Maven repositories keep in memory between requests. */
type MavenMemory = ReturnType<typeof createMemory>;

const createMemory = (store: Store) => ({
  checksumOf: createChecksums(store),
  expectations: createExpectations(),
  merging: createSerial(),
});

const memories = new WeakMap<Store, MavenMemory>();

/** Returns what is kept in memory for Maven; all routes over the same store share it. */
export function mavenMemory(store: Store): MavenMemory {
  const known = memories.get(store) ?? createMemory(store);
  memories.set(store, known);
  return known;
}
