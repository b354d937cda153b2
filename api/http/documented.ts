import { z } from "@hono/zod-openapi";

/**
 * Documents answers in JSON of one shape: returns a function that takes an answer's description.
 */
export const jsonAnswer =
  <S extends z.ZodType>(schema: S) =>
  (description: string) => ({ description, content: { "application/json": { schema } } });

export const textAnswer = (description: string) => ({
  description,
  content: { "text/plain": { schema: z.string() } },
});

export const BYTES = {
  "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
};

export const optionalText = (description: string) =>
  z.string().optional().openapi({ description });

/** Documents the request headers that GET and HEAD of a file understand. */
export const READ_HEADERS = z.object({
  range: optionalText("One range of the file, bytes=first-last"),
  "if-range": optionalText("ETag or Last-Modified for which the range holds"),
  "if-none-match": optionalText("ETag that the client has"),
});

/**
 * Documents the answers of GET and HEAD of a file; `refusal` documents a failure in the format of
 * the endpoint's protocol.
 */
export const readAnswers = <R>(refusal: (description: string) => R) => ({
  200: { description: "The file; its sha256 is its ETag", content: BYTES },
  206: { description: "The part of the file that Range names", content: BYTES },
  304: { description: "The client has the file already" },
  416: refusal("The file has no such bytes"),
});

export const readSummary = (method: "get" | "head", get: string): string =>
  method === "get" ? get : "Size, digests and dates of a file";
