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
 * `versions` null or [] = all; `targetVersions`: the one version's manifest is put under each of these tags instead.
 */
export type PackageConstraint = { packageKey: string; versions: string[] | null; targetVersions?: string[] | null };
export type PathConstraint = { path: string };

export type ExecutionPlan = {
  executeImmediately: boolean;
  /** As the user sent it, ISO with or without offset. */
  executeTime: string | null;
  cronExpression: string | null;
  /** Ours: an IANA zone; null = the configured one. */
  timeZone: string | null;
};

export type TaskSetting = {
  /** Body bytes per second to one cluster in one execution; <= 0 = none. */
  rateLimit: number;
  includeMetadata: boolean;
  conflictStrategy: ConflictStrategy;
  errorStrategy: ErrorStrategy;
  executionStrategy: ExecutionStrategy;
  executionPlan: ExecutionPlan;
  storageConsistencyCheck: boolean;
  automaticCreateRemoteRepo: boolean;
  compare: CompareMode;
  /** Bytes that a run may read at one cluster to compare, where no digest decides; what goes beyond is different. */
  compareReadLimit: number;
  verification: Verification;
};

/** What settings have that say nothing else, and those that were stored before there were such words. */
export const SETTING_DEFAULTS = {
  compare: "AUTO",
  compareReadLimit: 1024 ** 3,
  verification: "DIGEST",
} as const satisfies Partial<TaskSetting>;
type Later = keyof typeof SETTING_DEFAULTS;

/** A setting as any version stored it. */
export type StoredSetting = Omit<TaskSetting, Later> & Partial<Pick<TaskSetting, Later>>;

export const completeSetting = (stored: StoredSetting): TaskSetting => ({ ...SETTING_DEFAULTS, ...stored });

export type TaskObject = {
  localRepoName: string;
  repoType: RepositoryType;
  remoteProjectId: string | null;
  remoteRepoName: string | null;
  packageConstraints: PackageConstraint[] | null;
  pathConstraints: PathConstraint[] | null;
};

/**
 * What a run keeps of the task it began with: later edits do not touch it. Holds no secret: credentials are looked up
 * by id.
 */
export type RunSnapshot = {
  taskName: string;
  projectId: string;
  replicaObjectType: ReplicaObjectType;
  replicaType: ReplicaType;
  setting: TaskSetting;
  record: boolean;
  /** `protocol`: what a linked repository named when the run began; absent: nothing. */
  objects: (TaskObject & { category: RepositoryCategory | null; protocol?: Protocol | null })[];
  clusters: { id: string; name: string; type: ClusterType }[];
  localCluster: string;
};

export type StoredSnapshot = Omit<RunSnapshot, "setting"> & { setting: StoredSetting };

export function completeSnapshot(stored: StoredSnapshot): RunSnapshot {
  return { ...stored, setting: completeSetting(stored.setting) };
}
