import type { Connection } from "@temporalio/client";
import type { Logger } from "pino";

/** Value of IndexedValueType.KEYWORD (temporal.api.enums.v1). */
const KEYWORD = 2;

/**
 * Creates the search attributes `names` (all Keyword) that the namespace lacks. Returns whether the
 * namespace has all of them then; if not, runs have no search attributes.
 */
export async function ensureSearchAttributes(
  connection: Connection,
  namespace: string,
  names: readonly string[],
  log: Logger,
): Promise<boolean> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    const lacking = names.filter((name) => customAttributes[name] !== KEYWORD);
    if (lacking.length > 0) {
      const searchAttributes = Object.fromEntries(lacking.map((name) => [name, KEYWORD]));
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes,
      });
    }
    return true;
  } catch (error) {
    // A client that may neither list nor create attributes may still use those that an administrator has created.
    if (await areThere(connection, namespace, names)) return true;
    const reason = error instanceof Error ? error.message : String(error);
    log.warn(
      { reason },
      `Search attributes cannot be created in ${namespace}; runs do without ${names.join(", ")} (all Keyword)`,
    );
    return false;
  }
}

/**
 * Whether the search attributes exist: the server refuses a query that names a missing one, or one whose
 * type cannot equal a text. False also when the server does not answer.
 */
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
