import type { Refusal, RefusalReason } from "../../domain/sync.ts";
import type { Code } from "../http/messages.ts";

const CODES = {
  name: 250105,
  content: 250106,
  path: 251011,
  digest: 251003,
  forbidden: 250112,
  occupied: 251012,
  exists: 251020,
} satisfies Record<RefusalReason, Code>;

type Coded = Omit<Refusal, "reason"> & { code: Code };

/**
 * Turns a decision into the answer of the protocol: in a refusal the API's code replaces the
 * reason; any other decision stays as it is.
 */
export function withCode<A extends { result: string }>(decided: A | Refusal): A | Coded {
  return isRefusal(decided) ? coded(decided) : decided;
}

const isRefusal = (decided: { result: string }): decided is Refusal =>
  decided.result === "refused";

function coded({ reason, ...refusal }: Refusal): Coded {
  return { ...refusal, code: CODES[reason] };
}
