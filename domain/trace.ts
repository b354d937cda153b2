/**
 * How a trace travels: W3C Trace Context in a header of Temporal's, as Temporal's own interceptors for OpenTelemetry
 * write it.
 */
export const TRACE_HEADER = "_tracer-data";

/** The service as traces name it. */
export const TRACED_AS = "artifact-replication";

export type TraceCarrier = { traceparent?: string; tracestate?: string };

/** `traceId`: 32, `spanId`: 16 hex digits. */
export type SpanPlace = { traceId: string; spanId: string; sampled: boolean };

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** W3C Trace Context section 3.2; null for what does not have that form. */
export function readTraceparent(text: string | undefined): SpanPlace | null {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export const writeTraceparent = ({ traceId, spanId, sampled }: SpanPlace): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

/**
 * A workflow's run from its begin to its end, in ms of the epoch, as the orchestrator exports it. `failure`: why it did
 * not end well.
 */
export type WorkflowSpan = SpanPlace & {
  parentSpanId: string | null;
  name: string;
  begun: number;
  ended: number;
  failure: string | null;
};

/** What workflows tell the orchestrator of their spans. */
export type TraceSinks = { trace: { ended: (span: WorkflowSpan) => void } };
