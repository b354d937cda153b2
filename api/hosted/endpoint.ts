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

/** The endpoint for native clients of a hosted type, such as docker, mvn or npm. */
export type HostedEndpoint = {
  /** Prefix of the endpoint's paths. */
  at: string;
  routes: (deps: HostedDeps) => OpenAPIHono<Env>;
  /** Adds the routes to the OpenAPI document. */
  document: (app: OpenAPIHono<Env>) => void;
  /**
   * BASIC: the administrator's name and password are checked before the routes; OWN: the routes
   * check the login themselves.
   */
  login: "BASIC" | "OWN";
  /**
   * Builds the answer to an error that was thrown below the endpoint's paths, in the format of the
   * protocol.
   */
  errorAnswer: (
    thrown: unknown,
    c: Context<Env>,
    log: (error: unknown) => void,
  ) => Response;
  /** Whether request bodies are streamed; the routes then limit their lengths themselves. */
  streams: boolean;
};

/** How a repository type stores and deletes files that are uploaded by path. */
type FileEndpoint = {
  /**
   * Stores the body of a request as the file `fullPath`. When the promise resolves, the file is
   * durable. It resolves with null for a body that is used but not stored as it came, such as a
   * checksum.
   */
  receive: (
    c: Context<Env>,
    deps: ApiDeps,
    repository: RepositoryRow,
    fullPath: string,
  ) => Promise<NodeRow | null>;
  /**
   * Deletes a file, or a folder with everything below it. Throws 251011 for the root, 251010 if
   * nothing is there; a MAVEN repository ignores derived checksums and metadata instead.
   */
  remove: (
    deps: ApiDeps,
    repository: RepositoryRow,
    fullPath: string,
    user: string,
  ) => Promise<void>;
  /**
   * Reads from declared files the facts that the packages of this repository type record.
   * `contents[i]`: the content of `files[i]`, if it was sent with the declaration.
   */
  read: (
    store: Pick<Store, "open">,
    files: readonly DescribedFile[],
    contents: readonly (Buffer | undefined)[],
  ) => Promise<Readings>;
};

export type FileEndpoints = Readonly<Record<HostedFileType, FileEndpoint>>;

/** How a repository type stores versions that other instances declare as a whole. */
type VersionEndpoint = {
  /**
   * Reads what must be known before declared versions are created from their contents. Returns the
   * versions in the same order, some with more facts, some with a verdict. `attached`: the contents
   * that were sent with the declaration, by their sha256.
   */
  prepare: (
    deps: Pick<ApiDeps, "db" | "store">,
    repositoryId: number,
    versions: readonly JudgedVersion[],
    attached: ReadonlyMap<string, Buffer>,
  ) => Promise<readonly JudgedVersion[]>;
};

export type VersionEndpoints = Readonly<Record<StatedType, VersionEndpoint>>;
