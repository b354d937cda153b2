import { SaxesParser } from "saxes";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { isRecord } from "../../../domain/json.ts";

/**
 * Maximum bytes of an XML file that is read; POMs of the biggest projects have some hundred KiB.
 */
export const LONGEST_XML = LIMITS.xml.bytes;

/** Entities that a document may name without that XML knows them. */
const MOST_ENTITIES = 1_000;

/** An element by the names of its child elements; an element without any is its text. */
type Element = { [name: string]: Child[] };
type Child = Element | string;
type Open = { name: string; children: Element; text: string };

/**
 * Reads XML and returns its root element; null when it cannot be parsed or has more than LIMITS.xml allow, or its root
 * has another name or no child elements. Attributes and the prefixes of namespaces are left out.
 */
export function readXml(content: Uint8Array, root: string): Element | null {
  if (content.length > LONGEST_XML) return null;
  try {
    return elementOf(parse(content)[root]?.[0]);
  } catch {
    return null;
  }
}

/** Returns a root element by its name; throws an error for a document that is not valid or beyond its limits. */
function parse(content: Uint8Array): Element {
  const parser = new SaxesParser();
  const document = opened("");
  const open: Open[] = [document];
  let elements = 0;
  let entities = 0;
  parser.on("error", (error) => {
    // Old POMs name entities of HTML, which Maven knows and XML does not; no entity is expanded here.
    entities += 1;
    if (entities > MOST_ENTITIES || !error.message.includes("undefined entity"))
      throw error;
  });
  parser.on("opentag", ({ name }) => {
    elements += 1;
    if (elements > LIMITS.xml.tokens || open.length > LIMITS.xml.depth)
      throw new Error("beyond the limits");
    open.push(opened(name.slice(name.indexOf(":") + 1)));
  });
  const addText = (text: string) => {
    const top = open.at(-1);
    if (top !== undefined) top.text += text;
  };
  parser.on("text", addText);
  parser.on("cdata", addText);
  parser.on("closetag", () => {
    const closed = open.pop();
    if (closed === undefined) return;
    const { name, children, text } = closed;
    const siblings = (open.at(-1) ?? document).children;
    (siblings[name] ??= []).push(Object.keys(children).length > 0 ? children : text);
  });
  parser
    .write(
      Buffer.from(content)
        .toString("utf8")
        .replace(/^\uFEFF/, ""),
    )
    .close();
  return document.children;
}

/** The children have no prototype, so that an element may have any name. */
const opened = (name: string): Open => ({
  name,
  children: Object.create(null) as Element,
  text: "",
});

const elementOf = (value: unknown): Element | null =>
  isRecord(value) ? (value as Element) : null;

/**
 * Returns the child elements of `parent` with the given name that have child elements themselves.
 */
export function childrenOf(parent: Element | null, name: string): Element[] {
  return (parent?.[name] ?? []).flatMap((child): Element[] => {
    const element = elementOf(child);
    return element === null ? [] : [element];
  });
}

export function textOf(parent: Element | null, name: string): string | null {
  const values = parent?.[name] ?? [];
  const [value] = values;
  const text = values.length === 1 && typeof value === "string" ? value.trim() : "";
  return text === "" ? null : text;
}
