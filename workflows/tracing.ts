import { defaultPayloadConverter, type Headers } from "@temporalio/common";
import {
  proxySinks,
  type WorkflowInterceptorsFactory,
  workflowInfo,
} from "@temporalio/workflow";
import {
  readTraceparent,
  type SpanPlace,
  TRACE_HEADER,
  type TraceCarrier,
  type TraceSinks,
  type WorkflowSpan,
  writeTraceparent,
} from "../domain/trace.ts";
import { REAL_TIME_RUN } from "./contract.ts";

/**
 * Included in the workflow bundle only if traces are wanted. Passes the trace on to activities, children
 * and, except in a realTimeRun, the next run, and lets the orchestrator export a span when a run ends.
 * These interceptors wait for nothing and make no command, so that runs under way replay with and without
 * them.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const sinks = proxySinks<TraceSinks>();
  let parent: SpanPlace | null = null;
  let state: string | undefined;
  const here = (): SpanPlace => ownPlace(parent);
  const handOn = (headers: Headers): Headers => {
    const carrier: TraceCarrier = {
      traceparent: writeTraceparent(here()),
      ...(state === undefined ? {} : { tracestate: state }),
    };
    return { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
  };
  return {
    inbound: [
      {
        execute(input, next) {
          const carrier = read(input.headers);
          parent = readTraceparent(carrier?.traceparent);
          state = carrier?.tracestate;
          return next(input);
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) =>
          next({ ...input, headers: handOn(input.headers) }),
        startChildWorkflowExecution: (input, next) =>
          next({ ...input, headers: handOn(input.headers) }),
        // A realTimeRun may continue as new for ever, so each of its runs is a trace of its own.
        continueAsNew: (input, next) =>
          next(
            workflowInfo().workflowType === REAL_TIME_RUN
              ? input
              : { ...input, headers: handOn(input.headers) },
          ),
      },
    ],
    internals: [
      {
        concludeActivation(input, next) {
          const output = next(input);
          const end = output.commands.find(
            ({
              completeWorkflowExecution,
              failWorkflowExecution,
              cancelWorkflowExecution,
              continueAsNewWorkflowExecution,
            }) =>
              Boolean(
                completeWorkflowExecution ??
                failWorkflowExecution ??
                cancelWorkflowExecution ??
                continueAsNewWorkflowExecution,
              ),
          );
          if (end) sinks.trace.ended(spanOf(here(), parent, failureOf(end)));
          return output;
        },
      },
    ],
  };
};

function read(headers: Headers): TraceCarrier | undefined {
  const payload = headers[TRACE_HEADER];
  return payload && defaultPayloadConverter.fromPayload<TraceCarrier>(payload);
}

/**
 * Returns the run's place in the trace. A run without a parent, such as one that a schedule or an upload in
 * REAL_TIME started, begins a trace, whose id is the run id, which Temporal makes at random.
 */
function ownPlace(parent: SpanPlace | null): SpanPlace {
  const id = workflowInfo().runId.replaceAll("-", "");
  return {
    traceId: parent?.traceId ?? id,
    spanId: id.slice(16),
    sampled: parent?.sampled ?? true,
  };
}

type Command = {
  failWorkflowExecution?: { failure?: { message?: string | null } | null } | null;
  cancelWorkflowExecution?: object | null;
};

function failureOf({
  failWorkflowExecution,
  cancelWorkflowExecution,
}: Command): string | null {
  if (failWorkflowExecution) return failWorkflowExecution.failure?.message ?? "failed";
  return cancelWorkflowExecution ? "cancelled" : null;
}

function spanOf(
  place: SpanPlace,
  parent: SpanPlace | null,
  failure: string | null,
): WorkflowSpan {
  const { workflowType, runStartTime } = workflowInfo();
  return {
    ...place,
    parentSpanId: parent?.spanId ?? null,
    name: workflowType,
    begun: runStartTime.getTime(),
    ended: Date.now(),
    failure,
  };
}
