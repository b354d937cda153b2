import type { Text } from "./text.ts";

/**
 * What a check asks for. READ: whatever a listing and a copy from the end need; WRITE: whatever a copy to the end
 * needs, which may begin an upload and give it up; GLANCE: whether an end that passed WRITE lately still answers,
 * accepts the login and lets it write, without writing anything; LOGIN: the same without the right to write, for an
 * end of which WRITE could not find that out, or that refused the login. A refused login is asked about once.
 */
export type CheckUse = "READ" | "WRITE" | "GLANCE" | "LOGIN";

/** The steps of a check, in their order: after one that failed, the next ones need not be tried. */
export const CHECK_STEPS = ["reachable", "product", "authenticated", "allowed"] as const;
export type CheckStep = (typeof CHECK_STEPS)[number];

/** One of the results of a check; `ok` null: it was not found out, or there is nothing to check (no login). */
export type Answer = {
  ok: boolean | null;
  message: Text;
  /** The refusal concerns the name that the check used; it may not hold for the names of a run. */
  ofTest?: true;
};
export type Check = Record<CheckStep, Answer>;
