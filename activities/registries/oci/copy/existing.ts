import { manifestLabel } from "../manifest-digest.ts";
import type { ManifestHead } from "../question.ts";
import { cannotTell } from "../told.ts";
import type { ImageCopy } from "./copy.ts";

/**
 * What the target has under a tag that is to be written; null also where it does not tell and writing is right in any
 * case.
 */
export async function existing({ target, rules, signal }: ImageCopy, tag: string): Promise<ManifestHead | null> {
  const told = await target.registry.askManifest(target.name, tag, signal);
  if (told.kind === "untold" && rules.conflictStrategy !== "OVERWRITE")
    throw cannotTell(manifestLabel(target.name, tag), target.registry.host, told);
  return told.kind === "there" ? told.value : null;
}
