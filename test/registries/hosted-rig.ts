import { Hono } from "hono";
import { createControlPlane } from "../../activities/control-plane.ts";
import type { Source } from "../../activities/registries/contract.ts";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import { createContentSource } from "../../activities/store/source.ts";
import { openHostedSource } from "../../activities/transfer/hosted.ts";
import type { Batch } from "../../activities/transfer/work.ts";
import { internalAuth } from "../../api/internal/auth.ts";
import { blobRoutes } from "../../api/internal/blobs.ts";
import { versionRoutes } from "../../api/internal/versions.ts";
import { createWorkers } from "../../api/internal/workers.ts";
import { findRepository } from "../../db/content/repositories.ts";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { startNpm } from "../rigs/api/npm-fixture.ts";
import type { Judged, Rig } from "./conformance/rig.ts";
import { npmRig } from "./npm-rig.ts";

const KEY = "0123456789abcdef0123456789abcdef";

/**
 * Opens the hosted source of a worker on another machine than the store: the control plane describes versions and
 * serves their content.
 */
export async function hostedRig(): Promise<Rig> {
  let inside = new Hono();
  const internal = new Hono().all("*", ({ req }) => inside.fetch(req.raw));
  const { registry, db, deps, close } = await startNpm({ internal });
  const workers = createWorkers(Date.now, { error: () => {} });
  inside = new Hono()
    .basePath("/internal/v1")
    .use("*", internalAuth(createInternalSigner(KEY), workers))
    .route("/blobs", blobRoutes(deps))
    .route("/versions", versionRoutes(db, Date.now));
  const repositoryId = findRepository(db, "demo", "packages")?.id ?? 0;
  const large: Rig["large"] = (size) => ({
    name: "large",
    version: "1.0.0",
    digest: null,
    document: null,
    tags: [],
    parts: [{ path: "/large.tgz", size, digests: { sha256: "0".repeat(64) } }],
    origin: {
      createdBy: "tester",
      createdDate: 0,
      lastModifiedBy: "tester",
      lastModifiedDate: 0,
    },
  });
  return npmRig(hostedConnector(repositoryId), registry, ADMIN, close, {
    namespace: "demo/packages",
    lies: [],
    large,
    gives: { "x-content-size": String(1024 ** 3) },
    bare: MEANINGS,
    waits: ["describe"],
  });
}

/**
 * The failure kinds that a worker derives from statuses of the control plane; it distinguishes only the
 * statuses that the control plane itself sends.
 */
const MEANINGS = {
  401: "refused",
  403: "invalid",
  408: "invalid",
  413: "invalid",
  429: "invalid",
  501: "server",
  507: "server",
} as const;

function hostedConnector(repositoryId: number): Judged {
  return {
    source({ url }) {
      const controlPlane = createControlPlane({
        apiUrl: url,
        secretKey: KEY,
        name: "tester",
      });
      const content = createContentSource({ local: null, call: controlPlane.open });
      const source: Source = openHostedSource(
        { content, controlPlane },
        versionsOnly(repositoryId),
      );
      return { ...source, close: controlPlane.close };
    },
  };
}

/** A batch of this repository without files; the source reads nothing else of a batch. */
function versionsOnly(repositoryId: number): Pick<Batch, "artifacts" | "source"> {
  const nowhere = {
    url: "",
    protocol: null,
    username: null,
    secret: null,
    sealedFor: "",
    certificate: null,
  };
  return {
    artifacts: [],
    source: { ...nowhere, insecureSkipVerify: false, repositoryId },
  };
}
