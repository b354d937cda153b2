import type { Fact } from "../../../domain/decide.ts";
import { createTurns } from "../../../domain/turns.ts";
import type { Closing, End, PartsTarget } from "../contract.ts";
import { openedFrom } from "../ranges.ts";
import { setLabels } from "./labels.ts";
import { publish } from "./publish.ts";
import { digestsOf, openNpmRegistry, tarballAddress } from "./registry.ts";

/**
 * Opens a registry as a target of versions. It accepts a version whole or not at all and never changes the
 * content of an existing one.
 */
export function openTarget(end: End): PartsTarget & Closing {
  const registry = openNpmRegistry(end);
  // A publication rewrites the one document of its package; of two at the same time, one may be lost.
  const inTurn = createTurns();
  return {
    nature: { atomic: true, immutable: true },
    async stat({ name, version, parts }, fresh, signal): Promise<(Fact | null)[]> {
      const document = (await registry.package(name, fresh, signal))?.versions.get(
        version,
      );
      const fact = document ? { size: null, digests: digestsOf(document) } : null;
      return parts.map(() => fact);
    },
    async put(artifact, [tarball], content) {
      if (tarball === undefined) return;
      await inTurn(artifact.name, () =>
        publish(registry, artifact, tarball, content).finally(() =>
          registry.forget(artifact.name),
        ),
      );
    },
    async open({ name, version }, _part, signal) {
      return openedFrom(
        await registry.ask(tarballAddress(name, version), {
          method: "GET",
          what: `tarball of ${name}@${version}`,
          signal,
        }),
        0,
        registry.budgets,
      );
    },
    label: (artifact, rules, signal) =>
      inTurn(artifact.name, () => setLabels(registry, artifact, rules, signal)),
    close: registry.close,
  };
}
