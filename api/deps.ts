import type { HttpBindings } from "@hono/node-server";
import type { Hono, MiddlewareHandler } from "hono";
import type { RegistryTokens } from "../activities/secrets/registry-token.ts";
import type { Sealer } from "../activities/secrets/seal.ts";
import type { Check } from "../domain/check.ts";
import type { Store } from "../activities/store/store.ts";
import type { Db } from "../db/open.ts";
import type { OnRealm, Realms } from "../domain/realms.ts";
import type { Wait } from "../domain/waiting.ts";
import type { ClusterType, Protocol, RepositoryType } from "../domain/vocabulary.ts";
import type { Text } from "../domain/text.ts";
import type { Shared } from "./internal/identities.ts";
import type { ApiError } from "./http/errors.ts";
import type { Watch } from "./metrics/contract.ts";
import type { Collections } from "./upkeep/collection.ts";

/**
 * Who sent a request. `address`: IP address, `local` where there is none; `origin`: the URL, without path, at
 * which the client reached this instance.
 */
type Client = { address: string; origin: string };

/** Decides whether an address is that of a proxy whose headers are believed. */
export type Trust = (address: string) => boolean;

/**
 * Types of a request's context in hono. The bindings (Node's request and response) are missing if
 * hono's server did not pass the request on, as with `app.request` in tests.
 */
export type Env = {
  /**
   * `refused`: the error that answers a request which the server cannot read or does not support;
   * no route gets the request. `admitted` is called once the credentials of the request are good. `peer`:
   * the address of the other end of the socket, where `incoming` is missing.
   */
  Bindings: Partial<HttpBindings> & {
    refused?: ApiError;
    admitted?: () => void;
    peer?: string | undefined;
  };
  /**
   * `user`: absent until the request is admitted; `claimed`: the name with a wrong login; `hold`
   * counts bytes of the body that are kept in memory, and throws 503 if there is no room; `warnings`:
   * sentences that the answer has beside its data, absent: none; `shared`: of the worker that sent an
   * internal request.
   */
  Variables: {
    traceId: string;
    client: Client;
    user: string;
    claimed?: string;
    hold: (bytes: number) => void;
    shared?: Shared;
    warnings?: Text[];
  };
};

export type Logger = Record<
  "debug" | "info" | "warn" | "error",
  (facts: object, message: string) => void
>;

/**
 * What the supervisor reports of the other processes: whether Temporal and the orchestrator work,
 * whether the search attributes can be used, and the number of its transfer workers.
 */
export type Processes = {
  temporal: boolean;
  /** Why Temporal does not answer, and what to do; null or absent while it answers. */
  temporalProblem?: Text | null;
  searchAttributes: boolean;
  orchestrator: boolean;
  workers: number;
};

/** Starts, stops and schedules the runs of tasks, for the API and the upkeep. */
export type Executions = {
  /**
   * Opens the RUNNING record of a task and starts its run; if Temporal does not accept the run now,
   * it starts later. Throws ApiError 250303 while a run goes on, 250304 for a disabled task, 250310
   * for an unknown one.
   */
  start: (taskKey: string) => Promise<void>;
  /**
   * Requests the end of the runs of a task, without waiting for it; resolves with true if a run was
   * going on.
   */
  stop: (taskKey: string, reason: string) => Promise<boolean>;
  /**
   * Called while a task is deleted: cancels its runs, waits up to `ms` for their end, and
   * terminates those whose workflow code fails.
   */
  cancelAndWait: (taskKey: string, ms: number) => Promise<void>;
  /**
   * Brings the schedule and the cursors of a task in line with its row, and starts the task if it
   * is to run at once. Called after a task was created, updated or toggled, and for a start that
   * was forgotten.
   */
  taskSaved: (taskKey: string) => Promise<void>;
  /**
   * Called while a task is deleted: deletes its cursors and its Temporal schedule (later, if
   * Temporal is away), so that neither uploads nor its timing start it any more.
   */
  taskDeleted: (taskKey: string) => Promise<void>;
};

/** When the processes of an identity of a worker were last heard (epoch ms), and which release they have. */
export type LastHeard = { lastSeen: number; version: string | null };

/** How to reach a cluster, with its credentials in the clear; only for testing a connection. */
export type ClusterAccess = {
  type: ClusterType;
  url: string;
  /**
   * The protocol that the user has set; null: chosen by the url's scheme or by the type of what is
   * sent.
   */
  protocol: Protocol | null;
  username: string | null;
  password: string | null;
  token: string | null;
  /** The end has credentials that cannot be opened, or must not be sent to its address. */
  unreadable?: boolean;
  acceptedRealms: Realms;
  certificate: string | null;
  insecureSkipVerify: boolean;
};

/**
 * Why a cluster cannot be used, beginning with the step of the test that failed; `refused`: the
 * cluster answers, but does not accept the credentials.
 */
export type ClusterProblem = { reason: Text; refused: boolean };

/** How to reach the registry behind a linked repository; only for testing it. */
export type LinkedAccess = Omit<ClusterAccess, "type"> & { type: RepositoryType };

export type ApiDeps = {
  db: Db;
  store: Store;
  sealer: Sealer;
  registryTokens: RegistryTokens;
  now: () => number;
  /** IANA name of the configured time zone, in which times are written. */
  zone: string;
  localClusterName: string;
  /** URL at which clients reach this instance; null: taken from the Host header of each request. */
  publicUrl: string | null;
  admin: { username: string; password: string };
  /** Whether the headers of a proxy with this address say who its clients are. */
  isTrustedProxy: Trust;
  /** Maximum bytes of a JSON body. */
  maxJsonBody: number;
  /** Maximum bytes of all bodies in memory; absent: the usual number. */
  maxBuffered?: number;
  /** Maximum bytes of an uploaded file; null: no limit. */
  maxUpload: number | null;
  processes: () => Processes;
  /** Returns which parts of the service are away, so that runs wait for them. */
  away: () => Wait[];
  /** Since when a run waits for its turn to send (epoch ms); null: it does not. */
  turnSince: (recordId: string) => number | null;
  /** URL of the UI of the embedded Temporal server; null: the server is another one; undefined: not known yet. */
  temporalUi: () => string | null | undefined;
  /** Whether a transfer worker, on this machine or another, has lately polled for work. */
  hasTransferWorker: () => Promise<boolean>;
  executions: Executions;
  /** The API for workers, mounted under /internal/v1. */
  internal: Hono<Env>;
  /** When workers were last heard, by the id of their identity; `ownWorkers`: those that the supervisor started. */
  heard: { last: (id: string) => LastHeard | null };
  ownWorkers: readonly { id: string }[];
  /**
   * Tests whether a cluster can be used as a target. Resolves with the reason why it cannot, null if
   * the test finds none; never rejects. `watch`: it is a test of the regular watch, which is content
   * with less while the whole test has lately found no problem. `onRealm` is told of token realms, as in End.
   */
  checkCluster: (
    access: ClusterAccess,
    options?: { watch: boolean; onRealm?: OnRealm },
  ) => Promise<ClusterProblem | null>;
  /**
   * Tests whether the registry behind a linked repository answers, is one, accepts the credentials
   * and allows listing or pulling; never rejects.
   */
  checkLinked: (access: LinkedAccess, onRealm: OnRealm) => Promise<Check>;
  /** Throws a TransferError if `host` is a literal address that must not be connected to. */
  checkHost: (host: string) => void;
  watch: Watch;
  /** Collections of unused content on demand. */
  collections: Pick<Collections, "begin" | "look">;
  /**
   * Token with which Prometheus reads the metrics without the admin's login; null: no token is set.
   */
  metricsToken: string | null;
  /** Middleware that makes a trace span for each request; null if no traces are sent. */
  traced: MiddlewareHandler<Env> | null;
  logger: Logger;
};
