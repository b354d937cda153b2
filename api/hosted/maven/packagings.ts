import { hash } from "node:crypto";
import type { Store } from "../../../activities/store/store.ts";
import type { JudgedVersion } from "../../../db/packages/stated-applying.ts";
import { isRecord } from "../../../domain/json.ts";
import { isPom, parseMavenPath } from "../../../domain/maven/layout.ts";
import type { DescribedFile } from "../../../domain/sync.ts";
import { packagingOf } from "./pom.ts";
import { LONGEST_XML } from "./xml.ts";

/**
 * Reads the packagings of the declared files that are POMs; returns them by sha256. Leaves out a
 * POM without a stated sha256, one longer than LONGEST_XML, and one whose content is neither in
 * `contents` nor in the store.
 */
export async function readPackagings(
  store: Pick<Store, "open">,
  files: readonly Pick<DescribedFile, "path" | "sha256" | "size">[],
  contents: readonly (Buffer | undefined)[],
): Promise<Map<string, string>> {
  const packagings = new Map<string, string>();
  for (const [at, { path, sha256, size }] of files.entries()) {
    const file = parseMavenPath(path);
    if (file === null || !isPom(file) || sha256 === null || (size ?? 0) > LONGEST_XML)
      continue;
    const content = contents[at] ?? (await readWhole(store, sha256));
    if (content) packagings.set(sha256, packagingOf(content));
  }
  return packagings;
}

/**
 * Adds to Maven versions the packagings that the source does not state, for POMs whose content is
 * `attached` (by sha256) or already in the store. Versions with a verdict stay as they are.
 */
export async function completePackagings(
  store: Pick<Store, "open">,
  versions: readonly JudgedVersion[],
  attached: ReadonlyMap<string, Buffer>,
): Promise<JudgedVersion[]> {
  const completed: JudgedVersion[] = [];
  for (const version of versions) {
    const said = version.document?.["packagings"];
    const told = isRecord(said) ? said : {};
    const isUntold = ({ path, sha256 }: DescribedFile) =>
      path.endsWith(".pom") && sha256 !== null && told[sha256] === undefined;
    const poms = version.verdict ? [] : version.files.filter(isUntold);
    const found = await readPackagings(
      store,
      poms,
      poms.map(({ sha256 }) => attached.get(sha256 ?? "")),
    );
    const packagings = { ...told, ...Object.fromEntries(found) };
    completed.push(
      found.size === 0
        ? version
        : { ...version, document: { ...version.document, packagings } },
    );
  }
  return completed;
}

/**
 * Reads a content of the store; returns null if it cannot be opened, is wrong or is longer than
 * LONGEST_XML.
 */
async function readWhole(
  store: Pick<Store, "open">,
  sha256: string,
): Promise<Buffer | null> {
  const opened = await store.open(sha256).catch(() => null);
  if (!opened || opened.size > LONGEST_XML) {
    opened?.stream.destroy();
    return null;
  }
  const parts: Buffer[] = [];
  for await (const part of opened.stream) parts.push(part as Buffer);
  const content = Buffer.concat(parts);
  return hash("sha256", content) === sha256 ? content : null;
}
