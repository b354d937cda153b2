import type { Artifact } from "../../domain/artifact.ts";
import type { CopyHooks, CopyRules, UploadState } from "../../domain/outcome.ts";
import type { TaskSetting } from "../../domain/task.ts";
import type { PartsTarget, Source } from "../registries/contract.ts";
import type { Allowance } from "./read-back.ts";

/** One artifact that is copied from a source to a target that receives it part by part. */
export type PartsCopy = {
  artifact: Artifact;
  source: Source;
  target: PartsTarget;
  /** The name of the target in messages. */
  at: string;
  rules: CopyRules & Pick<TaskSetting, "compare" | "verification">;
  hooks: CopyHooks;
  uploads: readonly UploadState[];
  /** Returns whether the given number of bytes may be read at the target to compare contents. */
  mayRead: Allowance;
};
