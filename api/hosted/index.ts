import type { HostedType } from "../../domain/repository-types.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { receiveFile } from "../http/receive-file.ts";
import type { FileEndpoints, HostedEndpoint, VersionEndpoints } from "./endpoint.ts";
import { removeFiles } from "./generic/remove.ts";
import { documentGeneric, genericRoutes } from "./generic/routes.ts";
import { plainErrorAnswer } from "./maven/answers.ts";
import { documentMaven } from "./maven/docs.ts";
import { completePackagings, readPackagings } from "./maven/packagings.ts";
import { receiveMaven } from "./maven/receive.ts";
import { removeMaven } from "./maven/remove.ts";
import { mavenRoutes } from "./maven/routes.ts";
import { document as documentNpm } from "./npm/document.ts";
import { npmErrorAnswer } from "./npm/errors.ts";
import { npmRoutes } from "./npm/routes.ts";
import { fitTarballs } from "./npm/tarballs.ts";
import { document as documentOci } from "./oci/document.ts";
import { ociAnswer } from "./oci/errors.ts";
import { ociRoutes } from "./oci/routes.ts";

/**
 * By repository type: how single files are stored, deleted, and read when another instance declares
 * them.
 */
export const FILES: FileEndpoints = {
  GENERIC: { receive: receiveFile, remove: removeFiles, read: async () => new Map() },
  MAVEN: {
    receive: async (...upload) => (await receiveMaven(...upload)).file,
    remove: removeMaven,
    read: readPackagings,
  },
};

/** By repository type: what is done with versions that other instances declare as a whole. */
export const VERSIONS: VersionEndpoints = {
  MAVEN: {
    prepare: ({ store }, _repositoryId, versions, attached) =>
      completePackagings(store, versions, attached),
  },
  NPM: { prepare: fitTarballs },
};

const IMAGES: HostedEndpoint = {
  at: "/v2",
  routes: ociRoutes,
  document: documentOci,
  login: "OWN",
  errorAnswer: ociAnswer,
  streams: true,
};

const HOSTED = {
  GENERIC: {
    at: "/generic",
    routes: (deps) => genericRoutes(deps, FILES),
    document: documentGeneric,
    login: "BASIC",
    errorAnswer,
    streams: true,
  },
  DOCKER: IMAGES,
  OCI: IMAGES,
  MAVEN: {
    at: "/maven",
    routes: mavenRoutes,
    document: documentMaven,
    login: "BASIC",
    errorAnswer: plainErrorAnswer,
    streams: true,
  },
  NPM: {
    at: "/npm",
    routes: npmRoutes,
    document: documentNpm,
    login: "OWN",
    errorAnswer: npmErrorAnswer,
    streams: true,
  },
} as const satisfies Record<HostedType, HostedEndpoint>;

/** All endpoints for native clients, each once even if it serves several types. */
export const ENDPOINTS: readonly HostedEndpoint[] = [
  ...new Set<HostedEndpoint>(Object.values(HOSTED)),
];

/** Returns the endpoint for native clients that serves a request path; undefined if none does. */
export const endpointOf = (path: string): HostedEndpoint | undefined =>
  ENDPOINTS.find(({ at }) => path === at || path.startsWith(`${at}/`));
