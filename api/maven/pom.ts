import { readXml, textOf } from "./xml.ts";

/** The packaging that a POM names; Maven's default, `jar`, where it names none or cannot be read. */
export const packagingOf = (pom: Uint8Array): string => textOf(readXml(pom, "project"), "packaging") ?? "jar";
