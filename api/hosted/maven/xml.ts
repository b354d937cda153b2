import { XMLParser } from "fast-xml-parser";
import { isRecord } from "../../http/is-record.ts";

/** Longest XML that is read, in bytes; POMs of the biggest projects have some hundred KiB. */
export const LONGEST_XML = 1024 * 1024;

// Texts stay texts (1.10 is not a number), and no entity is expanded.
const parser = new XMLParser({
  parseTagValue: false,
  processEntities: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
});

type Element = Record<string, unknown>;

/** Reads XML and returns its root element; null when it is not valid or its root has another name. */
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

/** All elements with that name below `parent`. */
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

/** The entities that every XML has; others are not expanded. */
const PREDEFINED: Record<string, string> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};
