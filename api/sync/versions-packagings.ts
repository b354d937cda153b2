import type { Store } from "../../activities/store/store.ts";
import { isPom, parseMavenPath } from "../../domain/maven.ts";
import type { StatedFile } from "../../domain/sync.ts";
import { packagingOf } from "../maven/pom.ts";
import { LONGEST_XML } from "../maven/xml.ts";

/** The packaging of POMs that are stated as single files, by their sha256: of those whose content came with the statement or was here before. */
export async function readPackagings(store: Pick<Store, "open">, files: readonly StatedFile[], contents: readonly (Buffer | undefined)[]): Promise<Map<string, string>> {
  const packagings = new Map<string, string>();
  for (const [at, { path, sha256, size }] of files.entries()) {
    const file = parseMavenPath(path);
    if (file === null || !isPom(file) || size > LONGEST_XML) continue;
    const content = contents[at] ?? (await readWhole(store, sha256));
    if (content) packagings.set(sha256, packagingOf(content));
  }
  return packagings;
}

/** Null when the content is not here, or is no small one. */
async function readWhole(store: Pick<Store, "open">, sha256: string): Promise<Buffer | null> {
  const opened = await store.open(sha256).catch(() => null);
  if (!opened || opened.size > LONGEST_XML) {
    opened?.stream.destroy();
    return null;
  }
  const parts: Buffer[] = [];
  for await (const part of opened.stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
