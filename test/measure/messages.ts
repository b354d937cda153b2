import { type Expression, parseSync, Visitor } from "oxc-parser";
import type { Source } from "./sources.ts";

/** The value that stands for a part of a message that only the running program knows; some of them are numbers. */
export const VALUE = "7";

/**
 * Returns the messages (the second argument) with which a file creates errors of a class. A part that is not written
 * in the file, as text or as a constant, is replaced by a digit.
 */
export function messagesOf({ path, text }: Source, errorClass: string): string[] {
  const { program } = parseSync(path, text);
  const constants = new Map<string, Expression>();
  new Visitor({
    VariableDeclarator({ id, init }) {
      if (id.type === "Identifier" && init && isText(init)) constants.set(id.name, init);
    },
  }).visit(program);
  const messages: string[] = [];
  new Visitor({
    NewExpression({ callee, arguments: [, message] }) {
      if (callee.type === "Identifier" && callee.name === errorClass && message)
        messages.push(valueOf(message as Expression, constants));
    },
  }).visit(program);
  return messages;
}

const isText = ({ type }: Expression): boolean =>
  ["Literal", "TemplateLiteral", "BinaryExpression"].includes(type);

function valueOf(
  expression: Expression,
  constants: ReadonlyMap<string, Expression>,
): string {
  const value = (part: Expression) => valueOf(part, constants);
  switch (expression.type) {
    case "Literal":
      return String(expression.value);
    case "TemplateLiteral":
      return expression.quasis
        .map(
          ({ value: { cooked } }, at) =>
            (cooked ?? "") +
            expression.expressions
              .slice(at, at + 1)
              .map(value)
              .join(""),
        )
        .join("");
    case "BinaryExpression":
      return expression.operator === "+"
        ? value(expression.left) + value(expression.right)
        : VALUE;
    case "Identifier": {
      const constant = constants.get(expression.name);
      return constant ? value(constant) : VALUE;
    }
    default:
      return VALUE;
  }
}
