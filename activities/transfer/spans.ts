import { SpanStatusCode, trace } from "@opentelemetry/api";
import type { ArtifactOutcome } from "../../domain/outcome.ts";
import { TRACED_AS } from "../../domain/trace.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { Batch } from "./work.ts";

type Subject = { recordId: string; batch: Batch; artifact: BatchArtifact };

/**
 * Records the outcome of an artifact as a span of its batch; does nothing without a trace exporter. `begun`: when the
 * artifact began (epoch ms).
 */
export function traceOutcome(
  { recordId, batch, artifact, begun }: Subject & { begun: number },
  { result, size, bytesSent }: ArtifactOutcome,
): void {
  const attributes = {
    "replication.record_id": recordId,
    "replication.cluster_id": batch.clusterId,
    "replication.repository": batch.object.localRepoName,
    "replication.artifact": artifact.name,
    ...(artifact.version === "" ? {} : { "replication.version": artifact.version }),
    "replication.result": result.kind,
    "replication.bytes_sent": bytesSent,
    ...(size === null ? {} : { "replication.size": size }),
  };
  const span = trace
    .getTracer(TRACED_AS)
    .startSpan("artifact", { startTime: begun, attributes });
  if (result.kind === "failed" || result.kind === "again")
    span.setStatus({ code: SpanStatusCode.ERROR, message: result.reason });
  span.end();
}
