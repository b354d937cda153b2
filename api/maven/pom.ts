import { readXml, textOf } from "./xml.ts";

const PACKAGING = /^[A-Za-z0-9_.-]{1,100}$/;

/** The packaging that a POM names; Maven's default, `jar`, where it names none, or nothing that could be one, or cannot be read. */
export function packagingOf(pom: Uint8Array): string {
  const named = textOf(readXml(pom, "project"), "packaging") ?? "";
  return PACKAGING.test(named) ? named : "jar";
}
