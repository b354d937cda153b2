import type {
  ClusterType,
  CompareMode,
  ConflictStrategy,
  ErrorStrategy,
  ExecutionStrategy,
  Protocol,
  ReplicaObjectType,
  ReplicaType,
  RepositoryCategory,
  RepositoryType,
  Verification,
} from "./vocabulary.ts";

/**
 * `versions` null or [] = all; `targetVersions`: tags that the image gets at the target instead of its
 * own; `versions` then names exactly one tag.
 */
export type PackageConstraint = {
  packageKey: string;
  versions: string[] | null;
  targetVersions?: string[] | null;
};
export type PathConstraint = { path: string };

type ExecutionPlan = {
  executeImmediately: boolean;
  /** Start time as the user sent it, ISO with or without offset. */
  executeTime: string | null;
  cronExpression: string | null;
  /** An extension of bk-repo's API: IANA zone; null = the configured one. */
  timeZone: string | null;
};

export type TaskSetting = {
  /** Maximum body bytes per second to one cluster in one execution; <= 0 = no limit. */
  rateLimit: number;
  includeMetadata: boolean;
  conflictStrategy: ConflictStrategy;
  errorStrategy: ErrorStrategy;
  executionStrategy: ExecutionStrategy;
  executionPlan: ExecutionPlan;
  storageConsistencyCheck: boolean;
  automaticCreateRemoteRepo: boolean;
  compare: CompareMode;
  /**
   * Maximum bytes that a run may read at one cluster to compare contents if no digest decides; content
   * beyond this limit counts as different.
   */
  compareReadLimit: number;
  verification: Verification;
};

/** Defaults of settings that were added later, for tasks that were stored before. */
export const SETTING_DEFAULTS = {
  compare: "AUTO",
  compareReadLimit: 1024 ** 3,
  verification: "DIGEST",
} as const satisfies Partial<TaskSetting>;
type Later = keyof typeof SETTING_DEFAULTS;

/** A setting as any release stored it. */
export type StoredSetting = Omit<TaskSetting, Later> & Partial<Pick<TaskSetting, Later>>;

export const completeSetting = (stored: StoredSetting): TaskSetting => ({
  ...SETTING_DEFAULTS,
  ...stored,
});

export type TaskObject = {
  localRepoName: string;
  repoType: RepositoryType;
  remoteProjectId: string | null;
  remoteRepoName: string | null;
  packageConstraints: PackageConstraint[] | null;
  pathConstraints: PathConstraint[] | null;
};

/**
 * A run's copy of its task: later edits do not affect it. It contains no secret: the credentials of
 * clusters and repositories are looked up when they are needed.
 */
export type RunSnapshot = {
  taskName: string;
  projectId: string;
  replicaObjectType: ReplicaObjectType;
  replicaType: ReplicaType;
  setting: TaskSetting;
  record: boolean;
  /** `protocol`: the one that a linked repository named when the run began; absent: it named none. */
  objects: (TaskObject & {
    category: RepositoryCategory | null;
    protocol?: Protocol | null;
  })[];
  clusters: { id: string; name: string; type: ClusterType }[];
  localCluster: string;
};

export type StoredSnapshot = Omit<RunSnapshot, "setting"> & { setting: StoredSetting };

export function completeSnapshot(stored: StoredSnapshot): RunSnapshot {
  return { ...stored, setting: completeSetting(stored.setting) };
}
