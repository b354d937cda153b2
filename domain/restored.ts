export type Counts = { planned: number; success: number; failed: number };

/**
 * What a record says that was closed, or made, by what its run had answered in Temporal; `rows`: what is kept here of
 * it.
 */
export function restoredText(answered: Counts, rows: Counts): string {
  const text =
    "restored: the database is older than this run's end, so status, reason and times are what the run answered in Temporal";
  const same =
    answered.planned === rows.planned && answered.success === rows.success && answered.failed === rows.failed;
  return same
    ? text
    : `${text}; it answered ${inWords(answered)}, and the rows that are kept here show ${inWords(rows)}`;
}

const inWords = ({ planned, success, failed }: Counts) =>
  `${success} of ${planned} artifacts done and ${failed} failed`;
