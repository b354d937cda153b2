import { XMLParser } from "fast-xml-parser";
import { isRecord } from "../../../domain/json.ts";

/**
 * Maximum bytes of an XML file that is read; POMs of the biggest projects have some hundred KiB.
 */
export const LONGEST_XML = 1024 * 1024;

// The parser keeps values as strings (version 1.10 is not the number 1.1) and expands no entity.
const parser = new XMLParser({
  parseTagValue: false,
  processEntities: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
});

type Element = Record<string, unknown>;

/**
 * Reads XML and returns its root element; null when it cannot be parsed, or its root has another
 * name or no child elements.
 */
export function readXml(content: Uint8Array, root: string): Element | null {
  try {
    return elementOf(
      (parser.parse(Buffer.from(content).toString("utf8")) as Element)[root],
    );
  } catch {
    return null;
  }
}

const elementOf = (value: unknown): Element | null => (isRecord(value) ? value : null);

/**
 * Returns the child elements of `parent` with the given name that have child elements themselves.
 */
export function childrenOf(parent: Element | null, name: string): Element[] {
  return [parent?.[name]].flat().flatMap((value): Element[] => {
    const element = elementOf(value);
    return element ? [element] : [];
  });
}

export function textOf(parent: Element | null, name: string): string | null {
  const value = parent?.[name];
  const text =
    typeof value === "string"
      ? value
          .trim()
          .replaceAll(
            /&(lt|gt|quot|apos|amp);/g,
            (_, name: string) => PREDEFINED[name] ?? "",
          )
      : "";
  return text === "" ? null : text;
}

/** The entities that every XML document has; others are not expanded. */
const PREDEFINED: Record<string, string> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};
