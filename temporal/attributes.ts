import type { Connection } from "@temporalio/client";
import type { Logger } from "pino";

/** IndexedValueType.KEYWORD (temporal.api.enums.v1). */
const KEYWORD = 2;

/** Makes the search attributes, all Keyword, that the namespace lacks; false when it still lacks some (then runs do without). */
export async function ensureSearchAttributes(
  connection: Connection,
  namespace: string,
  names: readonly string[],
  log: Logger,
): Promise<boolean> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const lacking = names.filter((name) => customAttributes[name] !== KEYWORD);
    if (lacking.length > 0) {
      const searchAttributes = Object.fromEntries(lacking.map((name) => [name, KEYWORD]));
      await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    }
    return true;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, `Search attributes cannot be made in ${namespace}; runs go without: ${names.join(", ")} (all Keyword)`);
    return false;
  }
}
