import type { Logger } from "../deps.ts";
import { isUnwritable } from "./failure-status.ts";

/** What could not be written the last time, by logger. */
const failing = new WeakMap<object, Set<string>>();

/**
 * Makes a write that the request does not need, such as a mark of when something was last seen: a full or failing disk
 * is then no reason to refuse the request. That is logged once, until the write of that name succeeds again; the next
 * request tries it again. Throws every other error.
 */
export function spareWrite(
  { logger }: { logger: Pick<Logger, "warn"> },
  name: string,
  write: () => void,
): void {
  const names = failing.get(logger) ?? new Set<string>();
  failing.set(logger, names);
  try {
    write();
    names.delete(name);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    if (!names.has(name))
      logger.warn({ err: error }, `${name} cannot be written; it is tried again`);
    names.add(name);
  }
}
