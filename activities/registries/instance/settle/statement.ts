import { type Artifact, metadataOf, type Part } from "../../../../domain/artifact.ts";
import type {
  DescribedEntry,
  DescribedFile,
  FileAnswer,
} from "../../../../domain/sync.ts";
import type {
  DescribedVersion,
  StatedType,
  VersionAnswer,
} from "../../../../domain/sync-versions.ts";
import type { Copy, Item, KnownPart } from "./copy.ts";

/** Contents attached to a declaration, by sha256. */
export type Contents = Map<string, Buffer>;

/** The target's decision on an artifact; `paths`: the files whose content it needs. */
export type Verdict =
  Exclude<VersionAnswer, { result: "need" }> | { result: "need"; paths: string[] };

/** How one kind of artifact (single files, or whole versions) is declared. */
export type Form = {
  /** Declares artifacts with these contents and returns the verdicts in their order. */
  declare: (copy: Copy, items: Item[], contents: Contents) => Promise<Verdict[]>;
  /**
   * `lengthOf`: how many bytes an artifact takes in a declaration, estimated. `limits`: how many artifacts
   * and bytes one declaration may have, and how many bytes one artifact may have.
   */
  lengthOf: (artifact: Artifact) => number;
  limits: (copy: Pick<Copy, "capabilities">) => {
    artifacts: number;
    bytes: number;
    mostBytes: number;
  };
};

const STATEMENT_LENGTH = 1024 * 1024;
const FILES_AT_ONCE = 500;
const VERSIONS_AT_ONCE = 100;
/**
 * Upper bound for the bytes of a file's entry in a declaration, without its path and metadata: names of
 * 256 letters, digests, dates.
 */
const OTHER_FACTS_BYTES = 4_000;

export const FILES: Form = {
  async declare({ calls, remote, type, rules, hooks }, items, contents) {
    const attached = new Set<string>();
    const files = items.map((item): DescribedEntry => {
      const [part] = item.parts;
      const file = describedFile(item.artifact, part as Part, rules.includeMetadata);
      const content = file.sha256 === null ? undefined : contents.get(file.sha256);
      if (content === undefined || attached.has(file.sha256 ?? ""))
        return { ...file, attached: false };
      attached.add(file.sha256 ?? "");
      item.sent += content.length;
      item.carried = true;
      return { ...file, sha256: file.sha256 ?? "", size: content.length, attached: true };
    });
    const bodies = files.flatMap((file) =>
      file.attached ? (contents.get(file.sha256) ?? []) : [],
    );
    const answers = await calls.sendFiles(
      remote,
      { type, ...rules, files },
      bodies,
      hooks,
    );
    return answers.map((answer, at) => verdictOfFile(answer, files[at]?.path ?? ""));
  },
  lengthOf: ({ name, parts: [part] }) =>
    Buffer.byteLength(JSON.stringify([name, part?.metadata])) + OTHER_FACTS_BYTES,
  limits: ({ capabilities: { limits } }) => ({
    artifacts: Math.min(FILES_AT_ONCE, limits.files),
    bytes: limits.statementBytes,
    mostBytes: Infinity,
  }),
};

function verdictOfFile(answer: FileAnswer, path: string): Verdict {
  switch (answer.result) {
    case "need":
      return { result: "need", paths: [path] };
    case "made":
      return { result: "made", written: 1 };
    case "replaced":
      return { result: "replaced", written: 1, existing: `sha256:${answer.existing}` };
    case "conflict":
      return { result: "conflict", existing: `sha256:${answer.existing}`, path };
    case "same":
    case "damaged":
    case "stopped":
      return { result: answer.result };
    case "refused":
      return answer;
  }
}

export const VERSIONS: Form = {
  async declare(copy, items, contents) {
    const { versions } = await sendVersions(copy, items, contents);
    countSent(items, contents);
    return versions.map((answer, at) => verdictOfVersion(answer, items[at]?.parts ?? []));
  },
  lengthOf: (artifact) =>
    Buffer.byteLength(JSON.stringify(describedVersion(artifact, artifact.parts, true))),
  limits: ({ capabilities: { limits } }) => ({
    artifacts: VERSIONS_AT_ONCE,
    bytes: STATEMENT_LENGTH,
    mostBytes: limits.versionBytes,
  }),
};

/** Declares versions with contents. `items` may be empty: contents may be sent ahead of the version that needs them. */
export async function sendVersions(
  { calls, remote, type, rules, hooks }: Copy,
  items: Item[],
  contents: Contents,
) {
  const versions = items.map(({ artifact, parts }) =>
    describedVersion(artifact, parts, rules.includeMetadata),
  );
  const attached = [...contents].map(([sha256, { length: size }]) => ({ sha256, size }));
  return calls.sendVersions(
    remote,
    { type: type as StatedType, ...rules, contents: attached, versions },
    [...contents.values()],
    hooks,
  );
}

function verdictOfVersion(answer: VersionAnswer, parts: readonly Part[]): Verdict {
  if (answer.result !== "need") return answer;
  const paths = parts
    .filter(
      ({ digests }) =>
        digests.sha256 !== undefined && answer.files.includes(digests.sha256),
    )
    .map(({ path }) => path);
  return { result: "need", paths: [...paths, ...(answer.paths ?? [])] };
}

/**
 * Counts the sent bytes. The bytes of a content that several versions share are counted for the first
 * of them.
 */
function countSent(items: Item[], contents: Contents): void {
  const counted = new Set<string>();
  for (const item of items) {
    for (const { digests } of item.needs as KnownPart[]) {
      if (counted.has(digests.sha256)) continue;
      counted.add(digests.sha256);
      item.sent += contents.get(digests.sha256)?.length ?? 0;
    }
  }
}

function describedVersion(
  artifact: Artifact,
  parts: readonly Part[],
  includeMetadata: boolean,
): DescribedVersion {
  const { name, version, digest, document, tags, siblings, origin } = artifact;
  const sourceVersions = siblings ? { sourceVersions: [...siblings] } : {};
  const files = parts.map((part) => describedFile(artifact, part, includeMetadata));
  return {
    package: name,
    version,
    digest,
    files,
    document: document as Record<string, unknown> | null,
    distTags: [...tags],
    ...sourceVersions,
    ...origin,
  };
}

function describedFile(
  { origin }: Artifact,
  part: Part,
  includeMetadata: boolean,
): DescribedFile {
  const { sha256 = null, ...others } = part.digests;
  const metadata = includeMetadata ? { ...metadataOf(part) } : {};
  return {
    path: part.path,
    size: part.size,
    sha256,
    ...others,
    metadata,
    ...(part.origin ?? origin),
  };
}
