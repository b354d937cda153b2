import { eq } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { instance } from "../schema/content.ts";

const ID = "secretKeyId";
const CHECK = "secretKeyCheck";

/** Returns what the database knows of its secret key; null before it has adopted one. */
export function findKeyCheck(db: DbOrTx): { id: string; check: string } | null {
  const valueOf = (key: string) =>
    db.select().from(instance).where(eq(instance.key, key)).get()?.value;
  const [id, check] = [valueOf(ID), valueOf(CHECK)];
  return id === undefined || check === undefined ? null : { id, check };
}

export function setKeyCheck(
  db: DbOrTx,
  { id, check }: { id: string; check: string },
): void {
  for (const [key, value] of [
    [ID, id],
    [CHECK, check],
  ] as const)
    db.insert(instance)
      .values({ key, value })
      .onConflictDoUpdate({ target: instance.key, set: { value } })
      .run();
}
