/** An object of JSON from outside; its members are unknown. */
export type JsonObject = Record<string, unknown>;

/** Whether a parsed JSON value is an object. */
export function isRecord(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns a parsed JSON value if it is an object, else {}. */
export const record = (value: unknown): JsonObject => (isRecord(value) ? value : {});

/** Returns a parsed JSON value if it is a string, else "". */
export const stringOf = (value: unknown): string =>
  typeof value === "string" ? value : "";
