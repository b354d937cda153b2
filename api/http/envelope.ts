import { z } from "@hono/zod-openapi";
import type { Context, TypedResponse } from "hono";
import { text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { jsonAnswer } from "./documented.ts";
import { MESSAGES, type Code } from "./messages.ts";
import { saying } from "./saying.ts";
import { warningsOf } from "./warnings.ts";

type Envelope<T> = {
  code: 0;
  message: null;
  data: T;
  traceId: string;
  warnings?: string[];
};

export function ok<T>(c: Context<Env>, data: T) {
  const body: Envelope<T> = {
    code: 0,
    message: null,
    data,
    traceId: c.get("traceId"),
    ...warningsOf(c),
  };
  return c.json(body, 200);
}

/** Answers with a list that is too long for memory: each of `pages` is written when it arrives. */
export function okStream<T>(c: Context<Env>, pages: AsyncIterable<T[]>) {
  const [head = "", tail = ""] = JSON.stringify({
    code: 0,
    message: null,
    data: ["|"],
    traceId: c.get("traceId"),
    ...warningsOf(c),
  }).split('"|"');
  const encoder = new TextEncoder();
  const iterator = pages[Symbol.asyncIterator]();
  let started = false;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const { value: rows, done } = await iterator.next();
        if (done) {
          controller.enqueue(encoder.encode(started ? tail : head + tail));
          return controller.close();
        }
        // A stream is not pulled again after a pull that has added nothing, so an empty page is
        // skipped.
        if (rows.length === 0) continue;
        controller.enqueue(
          encoder.encode(
            (started ? "," : head) + rows.map((row) => JSON.stringify(row)).join(","),
          ),
        );
        started = true;
        return;
      }
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  return asEnvelope<T[]>(c.body(stream, 200, { "content-type": "application/json" }));
}

/**
 * Gives a response the type of an envelope. The cast is safe: the only caller writes exactly this
 * shape as JSON.
 */
function asEnvelope<T>(response: Response) {
  return response as unknown as Response & TypedResponse<Envelope<T>, 200, "json">;
}

const traceId = z.string().openapi({
  description:
    "32 hex digits; also in the X-Trace-Id header of the answer and in the log",
});

const warnings = z.array(z.string()).optional().openapi({
  description:
    "Fields and parameters that are unknown, and settings that will not be used; absent if there are none",
});

export function envelope<S extends z.ZodType>(data: S) {
  return z.object({ code: z.literal(0), message: z.null(), data, traceId, warnings });
}

export const nothing = z.null();

const failure = z
  .object({
    code: z.number().int(),
    message: z.string(),
    data: z.null(),
    traceId,
    warnings,
  })
  .openapi("Failure", {
    example: {
      code: 250105,
      message: "parameter [name] is invalid",
      data: null,
      traceId: "2f6803fcf2b5d1ab8cbbb97fa1d20b52",
    },
  });

/** Documents an answer that is a failure; takes its description. */
export const because = jsonAnswer(failure);

const CAUSES = {
  400: "The request cannot be carried out",
  401: "No credentials, or wrong ones",
  403: "A page of another site sent the request",
  404: "Something that the request names does not exist",
  408: "The body comes too slowly",
  413: "The body is too large",
  415: "The body's media type is not supported",
  429: "Too many wrong logins from this address",
  500: "A fault of the service; look for the traceId in its log",
  503: "The service has no room for the request now; Retry-After says when to try again",
} as const;
type Cause = keyof typeof CAUSES;

const ALWAYS: readonly Code[] = [250114, 250124, 250102];

/** Documents the failures of one status, with their error codes. */
function failed(status: Cause, codes: readonly Code[]) {
  const texts = codes
    .filter((code) => MESSAGES[code].status === status)
    .map((code) => `${code} ${MESSAGES[code].en}`);
  return because([CAUSES[status], ...texts].join("\n- "));
}

/**
 * Documents the answers of a route: `data` on success, the failures that every route has, and those
 * with the given error codes.
 */
export function answers<S extends z.ZodType>(
  data: S,
  codes: readonly Code[] = [],
  description = "Done",
) {
  const all = [...ALWAYS, 250131 as const, ...codes];
  return {
    200: jsonAnswer(envelope(data))(description),
    400: failed(400, all),
    401: failed(401, all),
    403: failed(403, [250113]),
    404: failed(404, all),
    429: failed(429, all),
    500: failed(500, all),
    503: failed(503, []),
  };
}

/**
 * Documents the answers of a route with a JSON body: `data` on success, the failures that every
 * such route has, and those with the given error codes.
 */
export function bodyAnswers<S extends z.ZodType>(
  data: S,
  codes: readonly Code[] = [],
  description?: string,
) {
  const all = [250106, 250119, ...codes] as const;
  return {
    ...answers(data, all, description),
    408: failed(408, []),
    413: failed(413, []),
    415: failed(415, all),
  };
}

export function jsonBody<S extends z.ZodType>(schema: S) {
  return { content: { "application/json": { schema } }, required: true as const };
}

type Page<T> = {
  pageNumber: number;
  pageSize: number;
  totalRecords: number;
  totalPages: number;
  records: T[];
  count: number;
  page: number;
};

export function page<S extends z.ZodType>(record: S) {
  const whole = z.number().int();
  return z.object({
    pageNumber: whole,
    pageSize: whole,
    totalRecords: whole,
    totalPages: whole,
    records: z.array(record),
    count: whole.openapi({ description: "The same as totalRecords" }),
    page: whole.openapi({ description: "The same as pageNumber" }),
  });
}

/**
 * Builds the answer with one page of a list; its `pageNumber` is the one that the client sent, even
 * 0.
 */
export function toPage<T>(
  { pageNumber, pageSize }: PageQuery,
  totalRecords: number,
  records: T[],
): Page<T> {
  const totalPages = Math.ceil(totalRecords / pageSize);
  return {
    pageNumber,
    pageSize,
    totalRecords,
    totalPages,
    records,
    count: totalRecords,
    page: pageNumber,
  };
}

function whole(min: number, max: number, otherwise: string) {
  const number = text(
    `must be a whole number from ${min} to ${max}`,
    `必须是 ${min} 到 ${max} 的整数`,
  );
  const least = text(`must be at least ${min}`, `不能小于 ${min}`);
  const most = text(`must be at most ${max}`, `不能大于 ${max}`);
  return z
    .string()
    .refine((given) => /^\d{1,9}$/.test(given), saying(number))
    .transform(Number)
    .refine((given) => given >= min, saying(least))
    .refine((given) => given <= max, saying(most))
    .prefault(otherwise);
}

/** The parameters of every list with pages; `pageNumber` 0 and 1 both select the first page. */
export const pageQuery = z.object({
  pageNumber: whole(0, 999_999_999, "1").openapi({
    type: "integer",
    minimum: 0,
    maximum: 999_999_999,
    default: 1,
  }),
  pageSize: whole(1, 1000, "20").openapi({
    type: "integer",
    minimum: 1,
    maximum: 1000,
    default: 20,
  }),
});
export type PageQuery = z.output<typeof pageQuery>;

export const offsetOf = ({ pageNumber, pageSize }: PageQuery): number =>
  Math.max(0, pageNumber - 1) * pageSize;

/** A query parameter that is true or false. */
export const flag = z
  .enum(["true", "false"])
  .transform((value) => value === "true")
  .openapi({ type: "boolean" });
