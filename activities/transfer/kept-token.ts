import { elapsed } from "../../domain/elapsed.ts";
import type { RegistryTokenAnswer } from "../../domain/worker-messages.ts";

/**
 * Returns a function that gives a token of at least half its life, and another one than `refused`. Callers share one
 * request for a new one; a request that fails is made anew by the next caller.
 */
export function createKeptToken(
  fetch: () => Promise<RegistryTokenAnswer>,
): (refused?: string) => Promise<string> {
  let asked: Promise<string> | null = null;
  let until = Number.POSITIVE_INFINITY;

  async function renew(): Promise<string> {
    const begun = elapsed();
    const { token, seconds } = await fetch();
    until = begun + (seconds * 1000) / 2;
    return `Bearer ${token}`;
  }

  function ask(): Promise<string> {
    until = Number.POSITIVE_INFINITY;
    const asking = renew().catch((error: unknown) => {
      if (asked === asking) asked = null;
      throw error;
    });
    asked = asking;
    return asking;
  }

  return async (refused) => {
    if (asked === null || elapsed() >= until) return ask();
    const before = asked;
    const value = await before;
    if (value !== refused) return value;
    return asked === before ? ask() : asked;
  };
}
