import type { Refusal, RefusalReason } from "../../domain/sync.ts";
import { text, type Text } from "../../domain/text.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { Code } from "../http/messages.ts";

const CODES = {
  name: 250105,
  content: 250106,
  path: 251011,
  digest: 251003,
  forbidden: 250112,
  occupied: 251012,
  exists: 251020,
  quota: 250106,
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

const DECLARED = { files: "文件", versions: "版本" } as const;

/** Sentence about a declaration for a repository of another type. */
export function otherType(
  existing: RepositoryType,
  stated: RepositoryType,
  what: keyof typeof DECLARED,
): Text {
  return text(
    `the repository is of type ${existing}, the ${what} are of type ${stated}: declare ${what} of type ${existing}`,
    `仓库的类型是 ${existing}，而${DECLARED[what]}的类型是 ${stated}：请声明类型为 ${existing} 的${DECLARED[what]}`,
  );
}
