import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

type Value = { stringValue?: string; intValue?: number | string };
type OtlpSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number; message?: string };
  attributes: { key: string; value: Value }[];
};
type Request = {
  resourceSpans: {
    resource: { attributes: { key: string; value: Value }[] };
    scopeSpans: { spans: OtlpSpan[] }[];
  }[];
};

export type Span = Omit<OtlpSpan, "attributes"> & {
  attributes: Record<string, string | number | undefined>;
  role: string;
};
export type Collector = Awaited<ReturnType<typeof startCollector>>;

const record = (attributes: OtlpSpan["attributes"]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ??
        (value.intValue === undefined ? undefined : Number(value.intValue)),
    ]),
  );

/**
 * Starts a collector of OTLP over HTTP with JSON, at /v1/traces, that keeps all spans. `role` of a
 * span: the kind of process that sent it.
 */
export async function startCollector() {
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as Request;
    for (const { resource, scopeSpans } of resourceSpans) {
      const role =
        String(record(resource.attributes)["service.instance.id"]).split("/")[1] ?? "";
      for (const span of scopeSpans.flatMap((scope) => scope.spans))
        spans.push({ ...span, attributes: record(span.attributes), role });
    }
    response
      .writeHead(request.url === "/v1/traces" ? 200 : 404, {
        "content-type": "application/json",
      })
      .end("{}");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    /** Returns the spans of one trace that have arrived. */
    of: (traceId: string): Span[] => spans.filter((span) => span.traceId === traceId),
    stop: async () => void server.close(),
  };
}
