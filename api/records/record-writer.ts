import type { Context } from "hono";
import type { z } from "@hono/zod-openapi";
import { isSending, waitsOf } from "../../db/records/waits.ts";
import type { RecordView } from "../../db/records/records.ts";
import { waitText } from "../../domain/waiting.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { type Language, languageIn } from "../http/messages.ts";
import { spoken } from "../http/spoken.ts";
import { type RecordInfo, toRecord } from "./shapes.ts";

type WriterDeps = Pick<ApiDeps, "db" | "zone" | "now" | "away" | "turnSince">;

/** Returns a function that turns an execution into its answer, in the language of the request. */
export function recordWriter(
  deps: WriterDeps,
  c: Context<Env>,
): (record: RecordView) => z.output<typeof RecordInfo> {
  const language = languageIn(c);
  return (record) =>
    spoken(c, toRecord(record, deps.zone, waitingFor(deps, record, language)));
}

/** Says what a running execution waits for; null when it waits for nothing, or has ended. */
function waitingFor(
  { db, zone, now, away, turnSince }: WriterDeps,
  { id, status }: RecordView,
  language: Language,
): string | null {
  if (status !== "RUNNING") return null;
  const waits = [...away(), ...waitsOf(db, id, now())];
  const since = waits.length > 0 || isSending(db, id) ? null : turnSince(id);
  if (since !== null) waits.push({ kind: "turn", since });
  return waitText(waits, zone)?.[language] ?? null;
}
