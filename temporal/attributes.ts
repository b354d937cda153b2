import type { Connection } from "@temporalio/client";
import type { Logger } from "pino";

/** IndexedValueType.KEYWORD (temporal.api.enums.v1). */
const KEYWORD = 2;

/**
 * Makes the search attributes, all Keyword, that the namespace lacks; false when it still lacks some (then runs do
 * without).
 */
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
    // Who may neither list nor make them may use those that an administrator has made.
    if (await areThere(connection, namespace, names)) return true;
    const reason = error instanceof Error ? error.message : String(error);
    log.warn(
      { reason },
      `Search attributes cannot be made in ${namespace}; runs go without: ${names.join(", ")} (all Keyword)`,
    );
    return false;
  }
}

/** A query that names an attribute which is not there, or is of a type that has no equality with text, is refused. */
async function areThere(
  { workflowService }: Connection,
  namespace: string,
  names: readonly string[],
): Promise<boolean> {
  const query = names.map((name) => `${name} = 'x'`).join(" AND ");
  return workflowService.countWorkflowExecutions({ namespace, query }).then(
    () => true,
    () => false,
  );
}
