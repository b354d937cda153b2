/** The parts of a JSON schema that the documentation shows. */
export type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  description?: string;
  default?: unknown;
  example?: unknown;
};

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);

/** Describes a schema in a few words. */
export function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return nameOf(schema.$ref);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type ?? "any"].flat();
  return types
    .map((type) => (type === "array" ? `list of ${typeOf(schema.items ?? {})}` : type))
    .join(" or ");
}

const DEEPEST = 8;

/**
 * Returns an example of a schema: the one that it states, else one made from its default, choices
 * or type; null for what lies more than DEEPEST levels deep.
 */
export function exampleOf(
  schema: Schema,
  schemas: Record<string, Schema>,
  depth = 0,
): unknown {
  if (depth > DEEPEST) return null;
  const inside = (inner: Schema) => exampleOf(inner, schemas, depth + 1);
  if (schema.example !== undefined) return schema.example;
  if (schema.$ref !== undefined) return inside(schemas[nameOf(schema.$ref)] ?? {});
  if (schema.allOf)
    return schema.allOf
      .map(inside)
      .reduce(
        (all, part) => (part instanceof Object ? { ...(all as object), ...part } : all),
        {},
      );
  const [choice] = schema.anyOf ?? schema.oneOf ?? [];
  if (choice) return inside(choice);
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const [type] = [schema.type ?? "null"].flat();
  if (type === "object")
    return Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, field]) => [
        name,
        inside(field),
      ]),
    );
  if (type === "array") return [inside(schema.items ?? {})];
  return { string: "text", integer: 0, number: 0, boolean: true }[type ?? ""] ?? null;
}
