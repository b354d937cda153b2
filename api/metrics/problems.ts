import { ALERT_RULES, ALERTS, SEVERITIES } from "../../domain/alerts.ts";
import type { Problem } from "./contract.ts";
import { isTold, READINGS } from "./readings.ts";
import type { Survey } from "./survey.ts";

/**
 * Finds the problems of a survey, the worst first, then the oldest first. For a problem whose
 * beginning is unknown, remembers when it was first noticed.
 */
export function createProblems() {
  let firstSeen = new Map<string, number>();
  return (survey: Survey): Problem[] => {
    const seen: typeof firstSeen = new Map();
    const problems = ALERTS.flatMap((alert) => {
      const { severity, hint } = ALERT_RULES[alert];
      return READINGS[alert](survey).flatMap((reading): Problem[] => {
        if (!isTold(alert, reading)) return [];
        const { subject, tell } = reading;
        const key = `${alert} ${subject}`;
        const since = reading.since ?? firstSeen.get(key) ?? survey.now;
        seen.set(key, since);
        return [{ alert, severity, subject, since, message: tell(), hint }];
      });
    });
    firstSeen = seen;
    return problems.toSorted(
      (a, b) =>
        SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
        a.since - b.since,
    );
  };
}
