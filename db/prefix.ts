import { type Column, type SQL, sql } from "drizzle-orm";

/** SQL: whether a column begins with exactly `prefix`; no character of `prefix` is a wildcard. */
export function startsWith(column: Column, prefix: string): SQL {
  return sql`substr(${column}, 1, ${[...prefix].length}) = ${prefix}`;
}
