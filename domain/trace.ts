/**
 * Name of the header in which Temporal passes on a trace: W3C Trace Context, as Temporal's own
 * OpenTelemetry interceptors write it.
 */
export const TRACE_HEADER = "_tracer-data";

/** Name of the service in traces. */
export const TRACED_AS = "artifact-replication";

export type TraceCarrier = { traceparent?: string; tracestate?: string };

/** A span in its trace. `traceId`: 32 hex digits, `spanId`: 16. */
export type SpanPlace = { traceId: string; spanId: string; sampled: boolean };

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Parses a `traceparent` header (W3C Trace Context, section 3.2); null for any other text. */
export function readTraceparent(text: string | undefined): SpanPlace | null {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export const writeTraceparent = ({ traceId, spanId, sampled }: SpanPlace): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

/**
 * A run of a workflow as the orchestrator exports it; times in epoch ms. `failure`: why it did not succeed;
 * null: it succeeded or continued as new.
 */
export type WorkflowSpan = SpanPlace & {
  parentSpanId: string | null;
  name: string;
  begun: number;
  ended: number;
  failure: string | null;
};

/** Sinks through which workflows report their spans to the orchestrator. */
export type TraceSinks = { trace: { ended: (span: WorkflowSpan) => void } };
