/** Who acts, and when (epoch ms). */
export type By = { user: string; now: number };

/** Who created a row and who last changed it; dates in epoch ms. */
export type Audit = {
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

/** Returns the audit block of a row that is being created. */
export const auditBy = ({ user, now }: By): Audit => ({
  createdBy: user,
  createdDate: now,
  lastModifiedBy: user,
  lastModifiedDate: now,
});

/** Returns the audit columns that each change of a row sets. */
export const changedBy = ({
  user,
  now,
}: By): Pick<Audit, "lastModifiedBy" | "lastModifiedDate"> => ({
  lastModifiedBy: user,
  lastModifiedDate: now,
});

/** Picks the audit block out of a row or a declared file. */
export const auditOf = ({
  createdBy,
  createdDate,
  lastModifiedBy,
  lastModifiedDate,
}: Audit): Audit => ({
  createdBy,
  createdDate,
  lastModifiedBy,
  lastModifiedDate,
});
