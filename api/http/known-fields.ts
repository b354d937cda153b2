import { z } from "@hono/zod-openapi";

type Schema = z.core.$ZodType;

/**
 * A field that a schema does not have. `path`: where it was sent, as in `setting.rateLimits`; `siblings`: the fields
 * that the schema has in that place; `value`: what was sent.
 */
export type UnknownField = {
  path: string;
  name: string;
  siblings: string[];
  value: unknown;
};

/** Finds the fields of a value, at any depth, that its schema does not have. */
export function* unknownFields(
  schema: Schema,
  value: unknown,
  at = "",
): Generator<UnknownField> {
  const plain = unwrapped(schema);
  if (Array.isArray(value)) {
    if (!(plain instanceof z.ZodArray)) return;
    for (const [i, entry] of value.entries())
      yield* unknownFields(plain.element, entry, `${at}[${i}]`);
    return;
  }
  const shape = shapeOf(plain);
  if (shape === null || typeof value !== "object" || value === null) return;
  for (const [name, inside] of Object.entries(value)) {
    const path = at === "" ? name : `${at}.${name}`;
    const field = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (field !== undefined) yield* unknownFields(field, inside, path);
    else yield { path, name, siblings: Object.keys(shape), value: inside };
  }
}

/**
 * Lists the paths of all fields of a schema, such as `setting.executionPlan.cronExpression`; `[]`
 * stands for an entry of a list.
 */
export function* fieldPaths(schema: Schema, at = ""): Generator<string> {
  const plain = unwrapped(schema);
  if (plain instanceof z.ZodArray) return yield* fieldPaths(plain.element, `${at}[]`);
  for (const [name, field] of Object.entries(shapeOf(plain) ?? {})) {
    const path = at === "" ? name : `${at}.${name}`;
    yield path;
    yield* fieldPaths(field, path);
  }
}

/** Returns the fields of an object's schema, or of the object among several shapes; null for any other schema. */
function shapeOf(plain: Schema): Record<string, Schema> | null {
  if (plain instanceof z.ZodObject) return plain.shape;
  if (!(plain instanceof z.ZodUnion)) return null;
  return (
    plain.options.map((option) => shapeOf(unwrapped(option))).find((shape) => shape) ??
    null
  );
}

/** Returns the schema of what is sent, without what makes it optional, gives it a default or transforms it. */
function unwrapped(schema: Schema): Schema {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  )
    return unwrapped(schema.unwrap());
  return schema instanceof z.ZodPipe ? unwrapped(schema.in) : schema;
}
