import type { Store } from "../../../activities/store/store.ts";
import { createChecksums, createExpectations } from "./checksums.ts";
import { createSerial } from "./serial.ts";

/** The memory of hosted Maven repositories between requests. */
type MavenMemory = ReturnType<typeof createMemory>;

const createMemory = (store: Store) => ({
  checksumOf: createChecksums(store),
  expectations: createExpectations(),
  merging: createSerial(),
});

const memories = new WeakMap<Store, MavenMemory>();

/** The memory that all routes over the same store share. */
export function mavenMemory(store: Store): MavenMemory {
  const known = memories.get(store) ?? createMemory(store);
  memories.set(store, known);
  return known;
}
