import type { ReportAnswer, ReportRequest } from "../../domain/worker-messages.ts";
import type { Db } from "../open.ts";
import { inTurn } from "../turns.ts";
import { type MustYield, takeReports } from "./outcomes.ts";

/**
 * Maximum number of reports recorded in one transaction, which takes about a millisecond: a batch's
 * thousand at once would delay every other answer.
 */
const PAGE = 50;

/**
 * Records a worker's reports about its batch, PAGE of them at a time; the last part also says that
 * the batch is done, if it is. Returns the answer to the last part.
 */
export async function takeAllReports(
  db: Db,
  request: ReportRequest,
  retryWindow: number,
  now: () => number,
  mustYield?: MustYield,
): Promise<ReportAnswer> {
  const { reports, done, ...batch } = request;
  for (let at = 0; ; at += PAGE) {
    const last = at + PAGE >= reports.length;
    const some: ReportRequest = {
      ...batch,
      reports: reports.slice(at, at + PAGE),
      ...(last && done ? { done } : {}),
    };
    const answer = await inTurn(
      () => takeReports(db, some, retryWindow, now(), mustYield),
      "answer",
      batch.recordId,
    );
    if (last) return answer;
  }
}
