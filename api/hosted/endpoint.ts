import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Store } from "../../activities/store/store.ts";
import type { NodeRow } from "../../db/content/nodes.ts";
import type { JudgedVersion } from "../../db/packages/stated-applying.ts";
import type { Readings } from "../../db/packages/types.ts";
import type { RepositoryRow } from "../../db/content/repositories.ts";
import type { HostedFileType } from "../../domain/repository-types.ts";
import type { DescribedFile } from "../../domain/sync.ts";
import type { StatedType } from "../../domain/sync-versions.ts";
import type { Login } from "../http/auth.ts";
import type { ApiDeps, Env } from "../deps.ts";

export type HostedDeps = ApiDeps & { login: Login };

/** The endpoint for native clients of a hosted type. */
export type HostedEndpoint = {
  /** The beginning of its paths. */
  at: string;
  routes: (deps: HostedDeps) => OpenAPIHono<Env>;
  /** Adds the routes to the OpenAPI document. */
  document: (app: OpenAPIHono<Env>) => void;
  /** BASIC: the administrator's name and password are checked before the routes; OWN: the routes check the login. */
  login: "BASIC" | "OWN";
  /** Answers anything that is thrown below its paths, in the form of its protocol. */
  errorAnswer: (
    thrown: unknown,
    c: Context<Env>,
    log: (error: unknown) => void,
  ) => Response;
  /** Whether bodies are streamed and the routes limit their lengths themselves. */
  streams: boolean;
};

/** How files that are written by their paths are kept. */
type FileEndpoint = {
  /**
   * Stores the body of the request as the file at that path; durable when it resolves. Null: no file is kept as it
   * came.
   */
  receive: (
    c: Context<Env>,
    deps: ApiDeps,
    repository: RepositoryRow,
    fullPath: string,
  ) => Promise<NodeRow | null>;
  /** Deletes a file, or a folder with all below it; 251010 where it does not exist. */
  remove: (
    deps: ApiDeps,
    repository: RepositoryRow,
    fullPath: string,
    user: string,
  ) => Promise<void>;
  /**
   * Reads from declared contents what the packages of the type need; `contents[i]` belongs to `files[i]`, where
   * attached.
   */
  read: (
    store: Pick<Store, "open">,
    files: readonly DescribedFile[],
    contents: readonly (Buffer | undefined)[],
  ) => Promise<Readings>;
};

export type FileEndpoints = Readonly<Record<HostedFileType, FileEndpoint>>;

/** How versions that other instances declare as a whole are kept. */
type VersionEndpoint = {
  /**
   * Reads from the contents what must be known before the versions are created. Returns the versions in the same order,
   * some with more facts, some with a verdict. `attached`: the contents behind the statement, by their sha256.
   */
  prepare: (
    deps: Pick<ApiDeps, "db" | "store">,
    repositoryId: number,
    versions: readonly JudgedVersion[],
    attached: ReadonlyMap<string, Buffer>,
  ) => Promise<readonly JudgedVersion[]>;
};

export type VersionEndpoints = Readonly<Record<StatedType, VersionEndpoint>>;
