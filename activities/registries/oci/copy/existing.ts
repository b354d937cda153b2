import { manifestLabel } from "../manifest-digest.ts";
import type { ManifestHead } from "../question.ts";
import { cannotTell } from "../told.ts";
import type { ImageCopy } from "./copy.ts";

/**
 * Returns the head of the target's manifest under a tag that is to be written; null when the tag does
 * not exist. If the registry does not report whether it exists, null under OVERWRITE, else throws.
 */
export async function existing(
  { target, rules, signal }: ImageCopy,
  tag: string,
): Promise<ManifestHead | null> {
  const told = await target.registry.askManifest(target.name, tag, signal);
  if (told.kind === "untold" && rules.conflictStrategy !== "OVERWRITE")
    throw cannotTell(manifestLabel(target.name, tag), target.registry.host, told);
  return told.kind === "there" ? told.value : null;
}
