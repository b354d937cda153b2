import type { Alert, Severity } from "../../domain/alerts.ts";

/** The condition of an alert that is true now; `since` in epoch ms. */
export type Problem = {
  alert: Alert;
  severity: Severity;
  subject: string;
  since: number;
  message: string;
  hint: string;
};

/** Watches the instance: returns its metrics, and describes the alert conditions that are true now. */
export type Watch = {
  /**
   * Returns the metrics in Prometheus' text format: found about a second ago at most, those of
   * expensive queries about 15 s ago at most.
   */
  metrics: () => Promise<string>;
  problems: () => Promise<Problem[]>;
  /** Notes the result of a connection test; `refused`: the cluster does not accept the credentials. */
  checked: (clusterId: string, refused: boolean) => void;
  /**
   * Looks for problems every 15 s even without scrapes, so that runs without progress are noticed.
   * Returns a function that ends this.
   */
  start: () => () => void;
};
