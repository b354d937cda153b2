import { isPackaging, isRelease } from "../../../domain/maven/layout.ts";
import type { Decided } from "../../../domain/sync.ts";
import {
  decideVersion,
  type DescribedVersion,
  needAnswer,
  type VersionAnswer,
} from "../../../domain/sync-versions.ts";
import { auditOf } from "../../audit.ts";
import { recordMavenFiles } from "./record.ts";
import {
  type Applying,
  mustFit,
  pairFiles,
  setMetadata,
  unchangeable,
  versionThere,
  writeFiles,
} from "../stated-applying.ts";
import { tellVersion } from "../versions.ts";

/**
 * Compares a declared Maven version with the present one file by file, decides, and writes the
 * files that the decision names. The version's row and maven-metadata.xml are derived from the
 * files.
 */
export function applyMavenVersion(
  applying: Applying,
  stated: DescribedVersion,
): Decided<VersionAnswer> {
  const { repository, rules, has } = applying;
  const { pairs, there } = pairFiles(applying, stated.files);
  const decision = decideVersion(
    pairs,
    has,
    rules.conflictStrategy,
    isRelease(stated.version) && !repository.allowOverwrite,
  );
  const existing = versionThere(applying, stated)?.digest ?? "";
  switch (decision.kind) {
    case "same":
      settleSame(applying, stated, there);
      return { result: "same" };
    case "conflict":
      return { result: "conflict", existing, path: decision.path };
    case "immutable":
      return unchangeable(
        `${decision.path} is released there with other content`,
        existing,
      );
    case "need": {
      const [contents, paths] = [new Set(decision.files), new Set(decision.paths)];
      mustFit(
        applying,
        stated.files.filter(
          ({ path, sha256 }) => paths.has(path) || contents.has(sha256 ?? ""),
        ),
      );
      return needAnswer(decision.files, decision.paths);
    }
    case "write": {
      const written = new Set(decision.files.map(({ path }) => path));
      writeFiles(
        applying,
        stated.files.filter(({ path }) => written.has(path)),
      );
      if (rules.includeMetadata)
        setMetadata(
          applying,
          stated.files.filter(({ path }) => !written.has(path)),
          there,
        );
      record(applying, stated, [...written]);
      return decision.replaces
        ? { result: "replaced", written: written.size, existing }
        : { result: "made", written: written.size };
    }
  }
}

function settleSame(
  applying: Applying,
  stated: DescribedVersion,
  there: Parameters<typeof setMetadata>[2],
): void {
  const { tx, repository, rules } = applying;
  const row = versionThere(applying, stated);
  // An incomplete version is recorded again: its POM may have arrived as a single file, before its
  // packaging was known.
  if (!row?.complete)
    record(
      applying,
      stated,
      stated.files.map(({ path }) => path),
    );
  const changed = rules.includeMetadata && setMetadata(applying, stated.files, there);
  if (changed && row?.complete)
    tellVersion(tx, repository, stated.package, row, rules.now);
}

function record(
  { tx, repository, rules }: Applying,
  stated: DescribedVersion,
  paths: string[],
): void {
  recordMavenFiles(
    tx,
    repository,
    paths,
    auditOf(stated),
    rules.now,
    packagingsOf(stated),
  );
}

/**
 * Returns the valid packagings of a version's POMs by their sha256, as the source has read them.
 */
function packagingsOf({ document }: DescribedVersion): Map<string, string> {
  const told = document?.["packagings"];
  const entries = typeof told === "object" && told !== null ? Object.entries(told) : [];
  return new Map(
    entries.filter((entry): entry is [string, string] => isPackaging(entry[1])),
  );
}
