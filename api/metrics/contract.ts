import type { Alert, Severity } from "../../domain/alerts.ts";

/** A condition of an alert that holds now; `since` in epoch ms. */
export type Problem = {
  alert: Alert;
  severity: Severity;
  subject: string;
  since: number;
  message: string;
  hint: string;
};

/** Watches the instance: its metrics, and the conditions of its alerts in words. */
export type Watch = {
  /** The numbers in Prometheus' text format, at most a second old. */
  metrics: () => Promise<string>;
  problems: () => Promise<Problem[]>;
  /** Notes the result of a connection test; `refused`: the cluster does not accept the credentials. */
  checked: (clusterId: string, refused: boolean) => void;
  /** Looks every 15 s even without scrapes, so that runs without progress are noticed. Returns how to end that. */
  start: () => () => void;
};
