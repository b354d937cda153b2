import { Hono } from "hono";
import { createControlPlane } from "../../activities/control-plane.ts";
import type { Source } from "../../activities/registries/contract.ts";
import { createContentSource } from "../../activities/store/source.ts";
import { openHostedSource } from "../../activities/transfer/hosted.ts";
import type { Batch } from "../../activities/transfer/work.ts";
import type { Env } from "../../api/deps.ts";
import { identitiesOf } from "../rigs/api/identities.ts";
import { holdBodies } from "../../api/http/body-budget.ts";
import { knowClient } from "../../api/http/client.ts";
import { internalAuth } from "../../api/internal/auth.ts";
import { blobRoutes } from "../../api/internal/blobs.ts";
import { versionRoutes } from "../../api/internal/versions.ts";
import { createWorkers } from "../../api/internal/workers.ts";
import { findRepository } from "../../db/content/repositories.ts";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { startNpm } from "../rigs/api/npm-fixture.ts";
import type { Judged, Rig } from "./conformance/rig.ts";
import { npmRig } from "./npm-rig.ts";

const WORKER = { id: "own-1", secret: "0123456789abcdef0123456789abcdef" };

/**
 * Opens the hosted source of a worker on another machine than the store: the control plane describes versions and
 * serves their content.
 */
export async function hostedRig(): Promise<Rig> {
  let inside = new Hono<Env>();
  const internal = new Hono<Env>().all("*", ({ req }) => inside.fetch(req.raw));
  const { registry, db, deps, close } = await startNpm({ internal });
  const workers = createWorkers({ error: () => {} });
  inside = new Hono<Env>()
    .basePath("/internal/v1")
    .use(knowClient(() => false, null))
    .use(holdBodies())
    .use("*", internalAuth(identitiesOf(WORKER), workers, { note: () => undefined }))
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
    bare: MEANINGS,
    waits: ["describe"],
  });
}

/**
 * The failure kinds that a worker derives from answers which the control plane has not signed: whatever they say,
 * they may come from something between.
 */
const MEANINGS = {
  400: "unreachable",
  401: "unreachable",
  403: "unreachable",
  404: "unreachable",
  408: "unreachable",
  409: "unreachable",
  413: "unreachable",
  429: "unreachable",
  500: "unreachable",
  501: "unreachable",
  503: "unreachable",
  507: "unreachable",
} as const;

function hostedConnector(repositoryId: number): Judged {
  return {
    source({ url }) {
      const controlPlane = createControlPlane({
        apiUrl: url,
        identity: WORKER,
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
