import type { HttpBindings } from "@hono/node-server";
import type { Hono, MiddlewareHandler } from "hono";
import type { RegistryTokens } from "../activities/secrets/registry-token.ts";
import type { Sealer } from "../activities/secrets/seal.ts";
import type { Store } from "../activities/store/store.ts";
import type { Db } from "../db/open.ts";
import type { ClusterType, Protocol, RepositoryType } from "../domain/vocabulary.ts";
import type { ApiError } from "./http/errors.ts";
import type { Watch } from "./metrics/contract.ts";

/** What each request carries. Without a socket (`app.request` in tests) there are no bindings. */
export type Env = {
  /** `refused`: why the request could not be read; nothing else of it is known. */
  Bindings: Partial<HttpBindings> & { refused?: ApiError };
  Variables: { traceId: string; user: string };
};

export type Logger = Record<"debug" | "info" | "warn" | "error", (facts: object, message: string) => void>;

/** Which of the other processes do their work, as the supervisor says. */
export type Processes = { temporal: boolean; searchAttributes: boolean; orchestrator: boolean; workers: number };

/** Runs of tasks. Everything that starts, stops or schedules one goes through here. */
export type Executions = {
  /** Opens the RUNNING record and starts the run; ApiError 250303 while one runs, 250304 when disabled. */
  start: (taskKey: string) => Promise<void>;
  /** Cancels what runs; true when something did. */
  stop: (taskKey: string, reason: string) => Promise<boolean>;
  /** Cancels what runs and waits for its end, at most `ms`. */
  cancelAndWait: (taskKey: string, ms: number) => Promise<void>;
  /** After create, update and toggle: brings schedule and immediate start in line with the row. */
  taskSaved: (taskKey: string) => Promise<void>;
  /** Lets go what hangs on the task outside of the database: its schedule. */
  taskDeleted: (taskKey: string) => Promise<void>;
};

/** How to reach a cluster, with its credentials in the clear: for testing a connection only. */
export type ClusterAccess = {
  type: ClusterType;
  url: string;
  /** As it was given; null: by the url's scheme or the type of what is sent there. */
  protocol: Protocol | null;
  username: string | null;
  password: string | null;
  token: string | null;
  certificate: string | null;
  insecureSkipVerify: boolean;
};

/** Why a cluster cannot be used; `refused`: it answers, and does not take the credentials. */
export type ClusterProblem = { reason: string; refused: boolean };

/** How to reach the registry behind a linked repository; for testing it only. */
export type LinkedAccess = Omit<ClusterAccess, "type"> & { type: RepositoryType };

/** One of the three answers about a linked repository; `ok` null: it could not be found out. */
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
  /** Where clients reach this instance; null: what their Host header says. */
  publicUrl: string | null;
  admin: { username: string; password: string };
  /** Bytes of a JSON body. */
  maxJsonBody: number;
  /** Bytes of an uploaded file; null: no limit. */
  maxUpload: number | null;
  processes: () => Processes;
  /** Whether a transfer worker, on this machine or another, has lately asked for work. */
  hasTransferWorker: () => Promise<boolean>;
  executions: Executions;
  /** What workers ask, mounted under /internal/v1. */
  internal: Hono;
  /** Why the cluster cannot be used, or null when it answers and takes the credentials. */
  checkCluster: (access: ClusterAccess) => Promise<ClusterProblem | null>;
  /** Whether the registry behind a linked repository answers, takes the credentials and lets us list or pull. */
  checkLinked: (access: LinkedAccess) => Promise<LinkedCheck>;
  /** Throws a TransferError for literal addresses that must not be connected to. */
  checkHost: (host: string) => void;
  watch: Watch;
  /** Lets Prometheus ask for the numbers without the admin's login; null: there is none. */
  metricsToken: string | null;
  /** Makes a span of each request; null where no traces are sent. */
  traced: MiddlewareHandler<Env> | null;
  logger: Logger;
};
