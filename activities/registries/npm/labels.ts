import type { Artifact } from "../../../domain/artifact.ts";
import { deprecationOf, withDeprecation } from "../../../domain/npm/package.ts";
import { decideTags } from "../../../domain/npm/tags.ts";
import type { LabelRules } from "../contract.ts";
import type { Package } from "./packument.ts";
import { encodeName, type NpmRegistry } from "./registry.ts";

/**
 * Sets the dist-tags of an existing version and, with `includeMetadata`, its deprecation, where they differ.
 * Always returns null: npm registries keep both, so no label is left out.
 */
export async function setLabels(
  registry: NpmRegistry,
  artifact: Artifact,
  rules: LabelRules,
  signal: AbortSignal,
): Promise<null> {
  const found = await registry.package(artifact.name, false, signal);
  if (!found) return null;
  const tagged = await setTags(registry, artifact, found, rules, signal);
  const deprecated =
    rules.includeMetadata && (await setDeprecation(registry, artifact, found, signal));
  if (tagged || deprecated) registry.forget(artifact.name);
  return null;
}

async function setTags(
  registry: NpmRegistry,
  artifact: Artifact,
  there: Package,
  rules: LabelRules,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, version, tags, siblings } = artifact;
  const moved = decideTags({
    strategy: rules.conflictStrategy,
    includeMetadata: rules.includeMetadata,
    source: new Map(tags.map((tag) => [tag, version])),
    sourceHas: siblings ? (each) => siblings.includes(each) : null,
    target: there.tags,
    targetHas: (each) => there.versions.has(each),
  });
  for (const tag of moved.keys()) {
    const answer = await registry.ask(
      `-/package/${encodeName(name)}/dist-tags/${encodeURIComponent(tag)}`,
      {
        method: "PUT",
        what: `dist-tag ${tag} of ${name}@${version}`,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(version),
        signal,
      },
    );
    await answer.discard();
  }
  return moved.size > 0;
}

/**
 * Changes the deprecation of a version as `npm deprecate` does: writes the package's document with the new
 * deprecation of that version. Returns false when the deprecation is already right.
 */
async function setDeprecation(
  registry: NpmRegistry,
  { name, version, document }: Artifact,
  { versions }: Package,
  signal: AbortSignal,
): Promise<boolean> {
  const wanted = deprecationOf(document ?? {});
  if (wanted === deprecationOf(versions.get(version) ?? {})) return false;
  const what = `deprecation of ${name}@${version}`;
  const whole = await registry.whole(name, "?write=true", what, signal);
  const there = whole?.versions.get(version);
  if (whole === null || there === undefined) return false;
  const changed = { ...withDeprecation(there, null), deprecated: wanted ?? "" };
  const answer = await registry.ask(encodeName(name), {
    method: "PUT",
    what,
    headers: { "content-type": "application/json" },
    body: whole.versions.with(version, changed),
    signal,
  });
  await answer.discard();
  return true;
}
