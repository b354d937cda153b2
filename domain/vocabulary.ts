/**
 * What a task replicates. This file has the words of the API, each once: columns, schemas and types derive
 * from its tuples.
 */
export const REPLICA_OBJECT_TYPES = ["REPOSITORY", "PACKAGE", "PATH"] as const;
export type ReplicaObjectType = (typeof REPLICA_OBJECT_TYPES)[number];

export const REPLICA_TYPES = ["SCHEDULED", "REAL_TIME", "RUN_ONCE"] as const;
export type ReplicaType = (typeof REPLICA_TYPES)[number];

export const CONFLICT_STRATEGIES = ["SKIP", "OVERWRITE", "FAST_FAIL"] as const;
export type ConflictStrategy = (typeof CONFLICT_STRATEGIES)[number];

export const ERROR_STRATEGIES = ["CONTINUE", "FAST_FAIL"] as const;
export type ErrorStrategy = (typeof ERROR_STRATEGIES)[number];

export const EXECUTION_STRATEGIES = [
  "IMMEDIATELY",
  "SPECIFIED_TIME",
  "CRON_EXPRESSION",
] as const;
export type ExecutionStrategy = (typeof EXECUTION_STRATEGIES)[number];

export const EXECUTION_STATUSES = ["RUNNING", "SUCCESS", "FAILED"] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];

/** What started a run: a request of the API, a schedule, or changes in a hosted repository. */
export const RUN_CAUSES = ["MANUAL", "SCHEDULED", "REAL_TIME"] as const;

/** Results of a run; MISSED: the run was due, but could not be started in time. */
export const RUN_RESULTS = ["SUCCESS", "FAILED", "MISSED"] as const;

export const TASK_STATUSES = ["WAITING", "REPLICATING", "COMPLETED"] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export const CLUSTER_TYPES = ["CENTER", "EDGE", "STANDALONE", "REMOTE"] as const;
export type ClusterType = (typeof CLUSTER_TYPES)[number];

export const CLUSTER_STATUSES = ["HEALTHY", "UNHEALTHY"] as const;

/**
 * Every repository type in bk-repo's documents; domain/capabilities.ts decides which can be transferred
 * today.
 */
export const REPOSITORY_TYPES = [
  "GENERIC",
  "DOCKER",
  "OCI",
  "MAVEN",
  "NPM",
  "HELM",
  "PYPI",
  "COMPOSER",
  "NUGET",
  "CARGO",
  "RPM",
  "CONAN",
  "OHPM",
  "HUGGINGFACE",
] as const;
export type RepositoryType = (typeof REPOSITORY_TYPES)[number];

export const REPOSITORY_CATEGORIES = ["LOCAL", "REMOTE"] as const;
export type RepositoryCategory = (typeof REPOSITORY_CATEGORIES)[number];

/**
 * How contents are compared if no digest decides: AUTO by size and date, else by reading them; READ always
 * by reading them; SIZE by size alone. Contents beyond the limit for reading count as different.
 */
export const COMPARE_MODES = ["AUTO", "READ", "SIZE"] as const;
export type CompareMode = (typeof COMPARE_MODES)[number];

/**
 * How it is verified after a write that the target has the content: by its digest or else its size, or
 * always by reading its bytes.
 */
export const VERIFICATIONS = ["DIGEST", "READ_BACK"] as const;
export type Verification = (typeof VERIFICATIONS)[number];

/** How an artifact was compared with the content at the target. */
export const COMPARED_BY = ["DIGEST", "SIZE", "READ"] as const;
export type ComparedBy = (typeof COMPARED_BY)[number];

/** How it was verified that the target has the written content. */
export const VERIFIED_BY = ["DIGEST", "SIZE", "READ_BACK"] as const;
export type VerifiedBy = (typeof VERIFIED_BY)[number];

/** Protocols of registries elsewhere: of REMOTE clusters and linked repositories. */
export const PROTOCOLS = [
  "OCI",
  "NPM",
  "MAVEN",
  "HELM",
  "PYPI",
  "CARGO",
  "WEBDAV",
  "HTTP",
  "S3",
  "DIRECTORY",
] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** What is wrong with a content in the store: it is gone, or other bytes are in its place. */
/** Why an upload is refused for lack of room: the disk, a quota, or too many open uploads. */
export const UPLOAD_REFUSALS = ["disk", "quota", "sessions"] as const;
export type UploadRefusal = (typeof UPLOAD_REFUSALS)[number];

export const DAMAGE_CAUSES = ["MISSING", "WRONG"] as const;
export type DamageCause = (typeof DAMAGE_CAUSES)[number];
