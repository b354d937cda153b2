import { z } from "@hono/zod-openapi";
import type { Text } from "../../domain/text.ts";
import { PROTOCOLS } from "../../domain/vocabulary.ts";
import { saying } from "./saying.ts";

/** A text field that must match the pattern; otherwise it is refused with `reason`. */
export const matching = (pattern: RegExp, reason: Text) =>
  z
    .string()
    .refine((given) => pattern.test(given), saying(reason))
    .openapi({ pattern: pattern.source });

/** A field of a body that may be absent or null and then has the given `value`. */
export function orDefault<S extends z.ZodType>(schema: S, value: z.output<S>) {
  return schema
    .nullish()
    .transform((given): z.output<S> => given ?? value)
    .openapi({ default: value });
}

/** A field of a body that may be absent or null; both are read as null. */
export function optional<S extends z.ZodType>(schema: S) {
  return schema.nullish().transform((given): z.output<S> | null => given ?? null);
}

/** A named shape or null; zod's own `nullable` is lost in OpenAPI for a named shape. */
export function orNull<S extends z.ZodType>(schema: S) {
  return z.union([schema, z.null()]);
}

const PROTOCOL =
  "The protocol that the registry speaks; absent in an update = unchanged, " +
  "null = chosen by the url's scheme (s3, file) or by the type";
const AS_SENT = "As it was sent; null: chosen by the url's scheme or by the type";

/**
 * The protocol of a registry in a request body. In an update an absent field keeps the stored
 * protocol, and null removes it.
 */
export const protocolIn = z.enum(PROTOCOLS).nullish().openapi({ description: PROTOCOL });
export const protocolOut = z.enum(PROTOCOLS).nullable().openapi({ description: AS_SENT });

const REALMS =
  "Token servers, elsewhere than at the registry itself, that may get its password: https://host[:port][/path], " +
  "without a path any of that host and port. Null: the https address of the first good login is kept; absent " +
  "in an update = unchanged";

/** The accepted realms of an end in a request body, read as `protocolIn` is. */
export const realmsIn = z.array(z.string()).nullish().openapi({ description: REALMS });
export const realmsOut = z
  .array(z.string())
  .readonly()
  .nullable()
  .openapi({ description: "Token servers that may get the password; null: none yet" });

export const whole = z
  .number()
  .int()
  .min(Number.MIN_SAFE_INTEGER)
  .max(Number.MAX_SAFE_INTEGER);

/** A time in answers: local to the configured zone, without offset. The database has epoch ms. */
export const time = z.string().openapi({
  description: "Local to the configured zone, with milliseconds",
  example: "2020-03-16T12:00:00.000",
});

export const taskKey = z.string().openapi({
  description: "The task's key",
  example: "784e49c5ba974a1e8ac503a840f65eb5",
});
export const recordId = z
  .string()
  .openapi({ description: "The execution's id", example: "609b573d53ccce752bf9b860" });
