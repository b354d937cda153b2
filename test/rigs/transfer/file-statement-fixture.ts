import {
  encodeStatement,
  type StatedFile,
  type Statement,
} from "../../../domain/sync.ts";
import { sha256 } from "../api/content-fixture.ts";

/** Describes a file with this content as a statement declares it. */
export function statedFile(
  content: Buffer,
  changes: Partial<StatedFile> = {},
): StatedFile {
  const dates = {
    createdBy: "ann",
    createdDate: 1,
    lastModifiedBy: "ann",
    lastModifiedDate: 2,
  };
  return {
    path: "/f",
    size: content.length,
    sha256: sha256(content),
    metadata: {},
    attached: true,
    ...dates,
    ...changes,
  };
}

/** Returns the body of a request that declares files, followed by the attached contents. */
export function frameFiles(
  files: unknown[],
  contents: Buffer[] = [],
  changes: Partial<Record<keyof Statement, unknown>> = {},
): Buffer {
  const statement = {
    type: "GENERIC",
    conflictStrategy: "SKIP",
    includeMetadata: true,
    files,
    ...changes,
  };
  return Buffer.concat([encodeStatement(statement as Statement), ...contents]);
}
