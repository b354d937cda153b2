import { isSending, waitsOf } from "../../db/records/waits.ts";
import type { RecordView } from "../../db/records/records.ts";
import { waitText } from "../../domain/waiting.ts";
import type { ApiDeps } from "../deps.ts";
import { languageOf } from "../http/messages.ts";

/** Returns a function that says what a running execution waits for; null when it waits for nothing, or has ended. */
export function createWaiting(
  {
    db,
    zone,
    now,
    away,
    turnSince,
  }: Pick<ApiDeps, "db" | "zone" | "now" | "away" | "turnSince">,
  acceptLanguage: string | undefined,
): (record: RecordView) => string | null {
  const language = languageOf(acceptLanguage);
  return ({ id, status }) => {
    if (status !== "RUNNING") return null;
    const waits = [...away(), ...waitsOf(db, id, now())];
    const since = waits.length > 0 || isSending(db, id) ? null : turnSince(id);
    if (since !== null) waits.push({ kind: "turn", since });
    return waitText(waits, zone)?.[language] ?? null;
  };
}
