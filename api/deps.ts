import type { HttpBindings } from "@hono/node-server";
import type { Hono, MiddlewareHandler } from "hono";
import type { RegistryTokens } from "../activities/secrets/registry-token.ts";
import type { Sealer } from "../activities/secrets/seal.ts";
import type { Store } from "../activities/store/store.ts";
import type { Db } from "../db/open.ts";
import type { ClusterType, Protocol, RepositoryType } from "../domain/vocabulary.ts";
import type { ApiError } from "./http/errors.ts";
import type { Watch } from "./metrics/contract.ts";

/** The context of each request. Without a socket (`app.request` in tests) there are no bindings. */
export type Env = {
  /** `refused`: why the request could not be read; then nothing else of it is known. */
  Bindings: Partial<HttpBindings> & { refused?: ApiError };
  Variables: { traceId: string; user: string };
};

export type Logger = Record<
  "debug" | "info" | "warn" | "error",
  (facts: object, message: string) => void
>;

/** Which of the other processes do their work, as the supervisor reports. */
export type Processes = {
  temporal: boolean;
  searchAttributes: boolean;
  orchestrator: boolean;
  workers: number;
};

/** Runs of tasks. Everything that starts, stops or schedules one goes through here. */
export type Executions = {
  /** Opens the RUNNING record and starts the run; ApiError 250303 while one runs, 250304 when disabled. */
  start: (taskKey: string) => Promise<void>;
  /** Cancels the runs of a task; true when there was one. */
  stop: (taskKey: string, reason: string) => Promise<boolean>;
  /** Cancels the runs of a task and waits for their end, at most `ms`. */
  cancelAndWait: (taskKey: string, ms: number) => Promise<void>;
  /** Called after create, update and toggle: brings schedule and immediate start in line with the row. */
  taskSaved: (taskKey: string) => Promise<void>;
  /** Releases what belongs to a task outside of the database: its schedule and its doorbell. */
  taskDeleted: (taskKey: string) => Promise<void>;
};

/** How to reach a cluster, with its credentials in the clear; only for testing a connection. */
export type ClusterAccess = {
  type: ClusterType;
  url: string;
  /** As it was given; null: chosen by the url's scheme or the type of what is sent there. */
  protocol: Protocol | null;
  username: string | null;
  password: string | null;
  token: string | null;
  certificate: string | null;
  insecureSkipVerify: boolean;
};

/** Why a cluster cannot be used; `refused`: it answers, but does not accept the credentials. */
export type ClusterProblem = { reason: string; refused: boolean };

/** How to reach the registry behind a linked repository; only for testing it. */
export type LinkedAccess = Omit<ClusterAccess, "type"> & { type: RepositoryType };

/** One of the three answers about a linked repository; `ok` null: unknown, could not be tested. */
export type LinkedAnswer = { ok: boolean | null; message: string };
export type LinkedCheck = Record<"reachable" | "authenticated" | "allowed", LinkedAnswer>;

export type ApiDeps = {
  db: Db;
  store: Store;
  sealer: Sealer;
  registryTokens: RegistryTokens;
  now: () => number;
  /** IANA name of the zone in which times are written. */
  zone: string;
  localClusterName: string;
  /** Where clients reach this instance; null: as their Host header says. */
  publicUrl: string | null;
  admin: { username: string; password: string };
  /** Most bytes of a JSON body. */
  maxJsonBody: number;
  /** Most bytes of an uploaded file; null: no limit. */
  maxUpload: number | null;
  processes: () => Processes;
  /** Whether a transfer worker, on this machine or another, has lately polled for work. */
  hasTransferWorker: () => Promise<boolean>;
  executions: Executions;
  /** The API for workers, mounted under /internal/v1. */
  internal: Hono;
  /** Says why the cluster cannot be used; null when it answers and accepts the credentials. */
  checkCluster: (access: ClusterAccess) => Promise<ClusterProblem | null>;
  /** Whether the registry behind a linked repository answers, accepts the credentials and allows to list or pull. */
  checkLinked: (access: LinkedAccess) => Promise<LinkedCheck>;
  /** Throws a TransferError for literal addresses that must not be connected to. */
  checkHost: (host: string) => void;
  watch: Watch;
  /** Token with which Prometheus reads the metrics without the admin's login; null: there is none. */
  metricsToken: string | null;
  /** Makes a span for each request; null where no traces are sent. */
  traced: MiddlewareHandler<Env> | null;
  logger: Logger;
};
