type Counts = { planned: number; success: number; failed: number };

/**
 * Builds the note of a record that was closed or created from the result of its run in Temporal, because
 * the database is older than the end of the run. `answered`: the counts in Temporal; `rows`: those of the
 * rows in the database.
 */
export function restoredText(answered: Counts, rows: Counts): string {
  const text =
    "restored: the database is older than this run's end, so status, reason and times are those of the run's result " +
    "in Temporal";
  const same =
    answered.planned === rows.planned &&
    answered.success === rows.success &&
    answered.failed === rows.failed;
  return same
    ? text
    : `${text}; the result is ${inWords(answered)}, and the rows in the database show ${inWords(rows)}`;
}

const inWords = ({ planned, success, failed }: Counts) =>
  `${success} of ${planned} artifacts done and ${failed} failed`;
