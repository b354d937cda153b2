import type { Sealer } from "../../activities/secrets/seal.ts";
import type { By } from "../../db/audit.ts";
import {
  type ClusterRow,
  deleteCluster,
  findCenter,
  findCluster,
  findClusterByName,
  insertCluster,
  setClusterHealth,
  updateCluster,
} from "../../db/tasks/clusters.ts";
import { endCheck } from "../../db/tasks/cluster-checks.ts";
import { isSameEnd } from "../../domain/endpoint-url.ts";
import { checkAll } from "../../domain/request-error.ts";
import { checkName } from "../../domain/task-rules.ts";
import type { ClusterType, Protocol } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import { checkInstanceUrl, checkRegistryUrl } from "../http/check-url.ts";
import type { ApiDeps, ClusterAccess } from "../deps.ts";
import { listed } from "../http/details.ts";
import { clusterOfId } from "../http/cluster.ts";
import { fail } from "../http/errors.ts";
import type { ClusterCreate, ClusterUpdate } from "./shapes.ts";

/** Maximum number of tasks that the refusal to delete a used cluster names. */
const NAMED_TASKS = 20;

type Secrets = { password?: string; token?: string; secretKey?: string };

const sealedFor = (id: string) => `cluster:${id}`;

/**
 * Seals the secrets of a cluster; returns null when there are none. An empty text removes a secret.
 */
export function sealSecrets(sealer: Sealer, id: string, secrets: Secrets): string | null {
  const kept = Object.entries(secrets).filter(([, value]) => value !== "");
  return kept.length === 0
    ? null
    : sealer.seal(JSON.stringify(Object.fromEntries(kept)), sealedFor(id));
}

/**
 * Opens the secrets of a cluster; returns an empty object if it has none. The cast is safe:
 * `sealSecrets` wrote the JSON.
 */
export function openSecrets(
  sealer: Sealer,
  { id, secret }: Pick<ClusterRow, "id" | "secret">,
): Secrets {
  return secret === null
    ? {}
    : (JSON.parse(sealer.open(secret, sealedFor(id))) as Secrets);
}

/** Returns the secrets that a request body sets; an absent or null field sets none. */
function givenSecrets({
  password,
  token,
  secretKey,
}: Pick<ClusterCreate, "password" | "token" | "secretKey">): Secrets {
  return {
    ...(password === null ? {} : { password }),
    ...(token === null ? {} : { token }),
    ...(secretKey === null ? {} : { secretKey }),
  };
}

const cleared = (text: string | null) => (text === "" ? null : text);

type Reach = Pick<
  ClusterRow,
  "type" | "url" | "protocol" | "username" | "certificate" | "insecureSkipVerify"
>;

function accessWith(
  { type, url, protocol, username, certificate, insecureSkipVerify }: Reach,
  { password, token }: Secrets,
): ClusterAccess {
  return {
    type,
    url,
    protocol,
    username,
    password: password || null,
    token: token || null,
    certificate,
    insecureSkipVerify,
  };
}

/** Returns how to reach a saved cluster, with its opened credentials. */
export function accessOf(sealer: Sealer, row: ClusterRow): ClusterAccess {
  return accessWith(row, openSecrets(sealer, row));
}

export async function createCluster(
  deps: ApiDeps,
  body: ClusterCreate,
  by: By,
): Promise<void> {
  const { db, sealer, localClusterName } = deps;
  const { name, type, detectType } = body;
  const isBlank = (field: "name" | "url") => body[field].trim() === "";
  const isTaken = name === localClusterName || findClusterByName(db, name) !== null;
  const center = type === "CENTER" ? findCenter(db) : null;
  let end: ClusterEnd = { url: "", protocol: null };
  checkAll(
    () => isBlank("name") && fail(250104, "name"),
    () => isBlank("url") && fail(250104, "url"),
    () => !isBlank("name") && checkName(name),
    () =>
      !isBlank("url") &&
      void (end = checkEnd(deps, type, body.url, body.protocol ?? null)),
    () => isTaken && fail(250305, name),
    () => center && fail(250309, center.name),
  );
  const secrets = givenSecrets(body);
  const values = {
    ...end,
    username: cleared(body.username),
    certificate: cleared(body.certificate),
    insecureSkipVerify: body.insecureSkipVerify ?? false,
    appId: body.appId,
    accessKey: body.accessKey,
    udpPort: body.udpPort,
    detectType,
  };
  if (body.ping && detectType === "PING")
    await mustConnect(deps, name, accessWith({ ...values, type }, secrets));
  const made = insertCluster(
    db,
    { ...values, name, type, ownerTaskKey: null },
    (id) => sealSecrets(sealer, id, secrets),
    by,
  );
  if ("taken" in made) fail(made.taken === "name" ? 250305 : 250309, made.by);
}

/**
 * Changes a cluster. The user name and secrets that the request leaves out stay only if the url
 * keeps its host and port, and does not go from https to http.
 */
export async function changeCluster(
  deps: ApiDeps,
  body: ClusterUpdate,
  by: By,
): Promise<ClusterRow> {
  const { db, sealer } = deps;
  const row = findClusterByName(db, body.name) ?? fail(250306, body.name);
  const wanted = body.protocol === undefined ? row.protocol : body.protocol;
  const { url, protocol } = checkEnd(deps, row.type, body.url, wanted);
  const sameHost = isSameEnd(row.url, url);
  const secrets = {
    ...(sameHost ? openSecrets(sealer, row) : {}),
    ...givenSecrets(body),
  };
  const values = {
    url,
    protocol,
    username: cleared(body.username ?? (sameHost ? row.username : null)),
    certificate: cleared(body.certificate ?? row.certificate),
    insecureSkipVerify: body.insecureSkipVerify ?? row.insecureSkipVerify,
    appId: body.appId ?? row.appId,
    accessKey: body.accessKey ?? row.accessKey,
    udpPort: body.udpPort ?? row.udpPort,
    detectType: body.detectType ?? row.detectType,
  };
  const isTested = body.ping && values.detectType === "PING";
  if (isTested)
    await mustConnect(deps, row.name, accessWith({ ...values, type: row.type }, secrets));
  updateCluster(
    db,
    row.id,
    { ...values, secret: sealSecrets(sealer, row.id, secrets) },
    by,
  );
  if (isTested) {
    const changed = findCluster(db, row.id) ?? fail(250306, body.name);
    setClusterHealth(db, changed, null, deps.now());
    deps.watch.checked(row.id, false);
  }
  return findCluster(db, row.id) ?? fail(250306, body.name);
}

/**
 * Tests the connection to a saved cluster and stores its health. Throws 250301 if the test fails,
 * 250306 if no cluster has this name.
 */
export async function tryConnect(deps: ApiDeps, name: string): Promise<void> {
  const row = findClusterByName(deps.db, name) ?? fail(250306, name);
  const problem = await deps.checkCluster(accessOf(deps.sealer, row));
  endCheck(deps.db, row.id);
  setClusterHealth(deps.db, row, problem?.reason.en ?? null, deps.now());
  deps.watch.checked(row.id, problem?.refused ?? false);
  if (problem !== null) fail(250301, name, problem.reason);
}

export function removeCluster({ db }: ApiDeps, id: string): void {
  const row = clusterOfId(db, id);
  const users = deleteCluster(db, id);
  if (users.length === 0) return;
  const { en, zh } = listed(users, NAMED_TASKS);
  fail(
    250112,
    text(
      `cluster ${row.name} is used by tasks: ${en}. Delete them first, or change them to use another cluster`,
      `集群 ${row.name} 正被以下任务使用：${zh}。请先删除这些任务，或改为使用其他集群`,
    ),
  );
}

async function mustConnect(
  { checkCluster }: ApiDeps,
  name: string,
  access: ClusterAccess,
): Promise<void> {
  const problem = await checkCluster(access);
  if (problem !== null) fail(250301, name, problem.reason);
}

type ClusterEnd = { url: string; protocol: Protocol | null };

/**
 * Checks the url and protocol of a cluster, and returns them in the form that is stored. Throws
 * 250104 or 250105 if one is not valid.
 */
function checkEnd(
  deps: Pick<ApiDeps, "checkHost">,
  type: ClusterType,
  url: string,
  protocol: Protocol | null,
): ClusterEnd {
  if (url.trim() === "") fail(250104, "url");
  if (type === "REMOTE")
    return { url: checkRegistryUrl(deps, url, protocol, "url"), protocol };
  if (protocol !== null) {
    fail(
      250105,
      "protocol",
      text(
        `only a REMOTE cluster has a protocol; a cluster of type ${type} is another instance of this product: ` +
          "leave the field out",
        `只有 REMOTE 集群有协议；${type} 集群是本产品的另一个实例：请去掉该字段`,
      ),
    );
  }
  return { url: checkInstanceUrl(deps, url, "url"), protocol };
}
