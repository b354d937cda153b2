import type {
  ClusterType,
  ConflictStrategy,
  ErrorStrategy,
  ExecutionStrategy,
  ReplicaObjectType,
  ReplicaType,
  RepositoryCategory,
  RepositoryType,
} from "./vocabulary.ts";

/** `versions` null or [] = all; `targetVersions`: the one version's manifest is put under each of these tags instead. */
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
};

export type TaskObject = {
  localRepoName: string;
  repoType: RepositoryType;
  remoteProjectId: string | null;
  remoteRepoName: string | null;
  packageConstraints: PackageConstraint[] | null;
  pathConstraints: PathConstraint[] | null;
};

/** What a run keeps of the task it began with: later edits do not touch it. Holds no secret: credentials are looked up by id. */
export type RunSnapshot = {
  taskName: string;
  projectId: string;
  replicaObjectType: ReplicaObjectType;
  replicaType: ReplicaType;
  setting: TaskSetting;
  record: boolean;
  objects: (TaskObject & { category: RepositoryCategory | null })[];
  clusters: { id: string; name: string; type: ClusterType }[];
  localCluster: string;
};
