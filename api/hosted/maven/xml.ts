import { XMLParser } from "fast-xml-parser";
import { isRecord } from "../../http/is-record.ts";

/** Longest XML that is read, in bytes: POMs of the biggest projects have some hundred KiB. */
export const LONGEST_XML = 1024 * 1024;

// Texts stay texts (1.10 is no number), and nothing is expanded: entities are left as they are written.
const parser = new XMLParser({
  parseTagValue: false,
  processEntities: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
});

type Element = Record<string, unknown>;

/** The root element of that name; null when the bytes are no such XML. */
export function readXml(content: Uint8Array, root: string): Element | null {
  try {
    return elementOf((parser.parse(Buffer.from(content).toString("utf8")) as Element)[root]);
  } catch {
    return null;
  }
}

const elementOf = (value: unknown): Element | null => (isRecord(value) ? value : null);

/** All elements of that name below `parent`, however many. */
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
      ? value.trim().replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => PREDEFINED[name] ?? "")
      : "";
  return text === "" ? null : text;
}

/** The entities of every XML. Others are not expanded. */
const PREDEFINED: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
