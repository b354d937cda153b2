import { setTimeout as sleep } from "node:timers/promises";
import {
  type Context,
  context,
  diag,
  DiagLogLevel,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-node";
import type { WorkflowClientInterceptor } from "@temporalio/client";
import { defaultPayloadConverter, type Headers } from "@temporalio/common";
import type { ActivityInterceptorsFactory, InjectedSinks } from "@temporalio/worker";
import type { Logger } from "pino";
import {
  TRACE_HEADER,
  type TraceCarrier,
  TRACED_AS,
  type TraceSinks,
  type WorkflowSpan,
} from "../domain/trace.ts";
import { elapsed } from "../domain/elapsed.ts";

/**
 * Maximum number of spans that wait for export. Spans of artifacts come by the thousand; the default of
 * 2,048 would drop many.
 */
const QUEUE = 32_768;
/** How long (ms) the export of the last spans may take when a process ends. */
const LAST_SPANS_MS = 2_000;
/** Minimum time (ms) between two log lines about a collector that cannot be reached. */
const TELL_AGAIN_MS = 60_000;

/** Sinks for replays: spans of runs that ended long ago are not exported again. */
export const NO_SPANS: InjectedSinks<TraceSinks> = {
  trace: { ended: { fn: () => undefined } },
};

type TraceSettings = {
  otelExporterOtlpEndpoint?: string | undefined;
  instanceId?: string | undefined;
};

/** Interceptors and sinks that pass a trace through Temporal's clients and workers. */
export type Tracing = {
  clientInterceptors: { workflow: WorkflowClientInterceptor[] };
  activityInterceptors: { activity: ActivityInterceptorsFactory[] };
  sinks: InjectedSinks<TraceSinks>;
  /** Exports the remaining spans, for at most LAST_SPANS_MS. */
  end: () => Promise<void>;
};

/**
 * Sends traces by OTLP over HTTP from this process. Returns null, and loads no SDK, if traces are not
 * wanted. The address and the share of traces come from the variables of the OpenTelemetry specification
 * (OTEL_…), which the SDK reads. `role`: kind of this process.
 */
export async function openTracing(
  role: string,
  { otelExporterOtlpEndpoint, instanceId }: TraceSettings,
  log: Logger,
): Promise<Tracing | null> {
  if (otelExporterOtlpEndpoint === undefined) return null;
  const [{ BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import("@opentelemetry/sdk-trace-node"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
    ]);
  tellTrouble(log);
  const own = resources.resourceFromAttributes({
    "service.name": TRACED_AS,
    "service.instance.id": `${instanceId ?? "worker"}/${role}/${process.pid}`,
    "process.pid": process.pid,
  });
  const resource = own.merge(
    resources.detectResources({ detectors: [resources.envDetector] }),
  );
  const processor = new BatchSpanProcessor(new OTLPTraceExporter(), {
    maxQueueSize: QUEUE,
  });
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  provider.register();
  return {
    clientInterceptors: {
      workflow: [
        { start: (input, next) => next({ ...input, headers: withTrace(input.headers) }) },
      ],
    },
    activityInterceptors: {
      activity: [
        ({ info }) => ({
          inbound: {
            execute: (input, next) => inSpan(info, input.headers, () => next(input)),
          },
        }),
      ],
    },
    sinks: {
      trace: {
        ended: { fn: (info, span) => processor.onEnd(exported(span, info, resource)) },
      },
    },
    // The process waits at most LAST_SPANS_MS for a collector to accept the last spans; those not accepted
    // by then are lost.
    end: () => Promise.race([provider.shutdown().catch(quiet), sleep(LAST_SPANS_MS)]),
  };
}

/** Finds the message in an error that the SDK logs as JSON. */
const REASON = /"message":"((?:[^"\\]|\\.)*)"/;
const quiet = (): void => undefined;

/** Logs that traces cannot be sent, at most once a minute: the SDK reports each batch. */
function tellTrouble(log: Logger): void {
  let told = Number.NEGATIVE_INFINITY;
  const tell = (message: string) => {
    if (elapsed() - told < TELL_AGAIN_MS) return;
    told = elapsed();
    log.warn({ reason: REASON.exec(message)?.[1] ?? message }, "traces cannot be sent");
  };
  diag.setLogger(
    { error: tell, warn: quiet, info: quiet, debug: quiet, verbose: quiet },
    DiagLogLevel.ERROR,
  );
}

function withTrace(headers: Headers): Headers {
  const carrier: TraceCarrier = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent === undefined
    ? headers
    : { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
}

function fromTrace(headers: Headers): Context {
  const payload = headers[TRACE_HEADER];
  return payload
    ? propagation.extract(
        ROOT_CONTEXT,
        defaultPayloadConverter.fromPayload<TraceCarrier>(payload),
      )
    : ROOT_CONTEXT;
}

type Info = {
  activityType: string;
  attempt: number;
  workflowExecution?: { workflowId: string; runId: string } | undefined;
};

/** Runs an activity as a span of the workflow that requested it. */
function inSpan(
  info: Info,
  headers: Headers,
  work: () => Promise<unknown>,
): Promise<unknown> {
  const attributes = {
    "temporal.workflow_id": info.workflowExecution?.workflowId ?? "",
    "temporal.run_id": info.workflowExecution?.runId ?? "",
    "temporal.attempt": info.attempt,
  };
  return trace
    .getTracer(TRACED_AS)
    .startActiveSpan(
      info.activityType,
      { attributes },
      fromTrace(headers),
      async (span) => {
        try {
          return await work();
        } catch (error) {
          span.setStatus({
            code: SpanStatusCode.ERROR,
            message: error instanceof Error ? error.message : String(error),
          });
          throw error;
        } finally {
          span.end();
        }
      },
    );
}

/** Converts milliseconds to the SDK's form of time: seconds and nanoseconds. */
const time = (ms: number): [number, number] => [
  Math.floor(ms / 1_000),
  Math.round((ms % 1_000) * 1e6),
];

function exported(
  span: WorkflowSpan,
  { workflowId, runId }: { workflowId: string; runId: string },
  resource: ReadableSpan["resource"],
): ReadableSpan {
  const place = (spanId: string) => ({
    traceId: span.traceId,
    spanId,
    traceFlags: span.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  });
  return {
    name: span.name,
    kind: SpanKind.INTERNAL,
    spanContext: () => place(span.spanId),
    ...(span.parentSpanId === null
      ? {}
      : { parentSpanContext: { ...place(span.parentSpanId), isRemote: true } }),
    startTime: time(span.begun),
    endTime: time(span.ended),
    duration: time(span.ended - span.begun),
    ended: true,
    status:
      span.failure === null
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: span.failure },
    attributes: { "temporal.workflow_id": workflowId, "temporal.run_id": runId },
    links: [],
    events: [],
    resource,
    instrumentationScope: { name: TRACED_AS },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
