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

/** Where native clients of a hosted type are answered. */
export type HostedEndpoint = {
  /** What its paths begin with. */
  at: string;
  routes: (deps: HostedDeps) => OpenAPIHono<Env>;
  /** Says in OpenAPI what the routes answer. */
  document: (app: OpenAPIHono<Env>) => void;
  /** BASIC: the administrator's name and password, checked before the routes; OWN: the routes check the login. */
  login: "BASIC" | "OWN";
  /** The answer for anything that is thrown below its paths, in its protocol's form. */
  errorAnswer: (thrown: unknown, c: Context<Env>, log: (error: unknown) => void) => Response;
  /** Bodies are streamed, and their lengths limited by the routes themselves. */
  streams: boolean;
};

/** What becomes of files that are written by their paths. */
export type FileEndpoint = {
  /** Takes the request's body as the file at that path; durable when it resolves. Null: nothing is kept as it came. */
  receive: (c: Context<Env>, deps: ApiDeps, repository: RepositoryRow, fullPath: string) => Promise<NodeRow | null>;
  /** Deletes a file, or a folder with all below it. ApiError 251010 where there is none. */
  remove: (deps: ApiDeps, repository: RepositoryRow, fullPath: string, user: string) => Promise<void>;
  /** Reads what the type's packages need to know of stated contents; `contents[i]`: of `files[i]`, where it came. */
  read: (
    store: Pick<Store, "open">,
    files: readonly DescribedFile[],
    contents: readonly (Buffer | undefined)[],
  ) => Promise<Readings>;
};

export type FileEndpoints = Readonly<Record<HostedFileType, FileEndpoint>>;

/** What becomes of versions that other instances state whole. */
export type VersionEndpoint = {
  /**
   * Reads what must be known of the contents before the versions are made; answers the versions in their order, some
   * with more known of them, some with a verdict. `attached`: the contents that came with the statement, by their
   * sha256.
   */
  prepare: (
    deps: Pick<ApiDeps, "db" | "store">,
    repositoryId: number,
    versions: readonly JudgedVersion[],
    attached: ReadonlyMap<string, Buffer>,
  ) => Promise<readonly JudgedVersion[]>;
};

export type VersionEndpoints = Readonly<Record<StatedType, VersionEndpoint>>;
