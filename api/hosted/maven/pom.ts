import { isPackaging } from "../../../domain/maven/layout.ts";
import { readXml, textOf } from "./xml.ts";

/**
 * Returns the packaging that a POM names; Maven's default `jar` if the POM names none or an invalid
 * one, or cannot be read.
 */
export function packagingOf(pom: Uint8Array): string {
  const named = textOf(readXml(pom, "project"), "packaging") ?? "";
  return isPackaging(named) ? named : "jar";
}
