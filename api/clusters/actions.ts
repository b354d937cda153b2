import type { Credentials } from "../../activities/secrets/credentials.ts";
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
import { clusterOwner } from "../../db/secrets/sealed.ts";
import { endCheck } from "../../db/tasks/cluster-checks.ts";
import { isSameEnd } from "../../domain/endpoint-url.ts";
import type { Realms } from "../../domain/realms.ts";
import { checkAll } from "../../domain/request-error.ts";
import { checkName } from "../../domain/task-rules.ts";
import type { ClusterType, Protocol } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import { checkInstanceUrl, checkRegistryUrl } from "../http/check-url.ts";
import type { ApiDeps, ClusterAccess } from "../deps.ts";
import { listed } from "../http/details.ts";
import { clusterOfId } from "../http/cluster.ts";
import { fail } from "../http/errors.ts";
import { checkRealms, keepingRealm } from "../keys/realms.ts";
import {
  changedCredentials,
  mergedCredentials,
  type Opened,
  type Stored,
  storedCredentials,
} from "../keys/stored.ts";
import type { ClusterCreate, ClusterUpdate } from "./shapes.ts";

/** Maximum number of tasks that the refusal to delete a used cluster names. */
const NAMED_TASKS = 20;

/** Returns the secrets that a request body sets; an absent or null field sets none. */
function givenSecrets({
  password,
  token,
  secretKey,
}: Pick<ClusterCreate, "password" | "token" | "secretKey">): Credentials {
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

/** `stored` null: the credentials cannot be opened. */
function accessWith(
  { type, url, protocol, username, certificate, insecureSkipVerify }: Reach,
  stored: Opened | null,
): ClusterAccess {
  return {
    type,
    url,
    protocol,
    username,
    password: stored?.credentials.password || null,
    token: stored?.credentials.token || null,
    ...(stored === null ? { unreadable: true } : {}),
    acceptedRealms: stored?.realms ?? null,
    certificate,
    insecureSkipVerify,
  };
}

/** Returns how to reach a saved cluster, with its opened credentials. */
export function accessOf(sealer: Sealer, row: ClusterRow): ClusterAccess {
  return accessWith(row, storedCredentials(sealer, clusterOwner(row.id), row));
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
  let acceptedRealms = null as Realms;
  checkAll(
    () => isBlank("name") && fail(250104, "name"),
    () => isBlank("url") && fail(250104, "url"),
    () => !isBlank("name") && checkName(name),
    () =>
      !isBlank("url") &&
      void (end = checkEnd(deps, type, body.url, body.protocol ?? null)),
    () =>
      void (acceptedRealms = checkRealms(
        end.url,
        body.acceptedRealms,
        null,
        "acceptedRealms",
      )),
    () => isTaken && fail(250305, name),
    () => center && fail(250309, center.name),
  );
  const secrets = givenSecrets(body);
  const values = {
    ...end,
    acceptedRealms,
    username: cleared(body.username),
    certificate: cleared(body.certificate),
    insecureSkipVerify: body.insecureSkipVerify ?? false,
    appId: body.appId,
    accessKey: body.accessKey,
    udpPort: body.udpPort,
    detectType,
  };
  if (body.ping && detectType === "PING")
    values.acceptedRealms = await mustConnect(
      deps,
      name,
      accessWith({ ...values, type }, { credentials: secrets, realms: acceptedRealms }),
    );
  const made = insertCluster(
    db,
    { ...values, name, type, ownerTaskKey: null },
    (id) => sealedFor(sealer, id, values, null, secrets),
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
  const secrets = givenSecrets(body);
  const values = {
    url,
    protocol,
    acceptedRealms: checkRealms(
      url,
      body.acceptedRealms,
      sameHost ? row.acceptedRealms : null,
      "acceptedRealms",
    ),
    username: cleared(body.username ?? (sameHost ? row.username : null)),
    certificate: cleared(body.certificate ?? row.certificate),
    insecureSkipVerify: body.insecureSkipVerify ?? row.insecureSkipVerify,
    appId: body.appId ?? row.appId,
    accessKey: body.accessKey ?? row.accessKey,
    udpPort: body.udpPort ?? row.udpPort,
    detectType: body.detectType ?? row.detectType,
  };
  const kept = sameHost ? row : null;
  const isTested = body.ping && values.detectType === "PING";
  if (isTested) {
    const owner = clusterOwner(row.id);
    const credentials = mergedCredentials(sealer, owner, kept, secrets);
    const opened = credentials && { credentials, realms: values.acceptedRealms };
    const access = accessWith({ ...values, type: row.type }, opened);
    values.acceptedRealms = await mustConnect(deps, row.name, access);
  }
  const secret = sealedFor(sealer, row.id, values, kept, secrets);
  updateCluster(db, row.id, { ...values, secret }, by);
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
  const problem = await deps.checkCluster(accessOf(deps.sealer, row), {
    watch: false,
    onRealm: keepingRealm(deps, clusterOwner(row.id), row.url),
  });
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

/** Tests an end before it is saved. Returns its accepted realms, after its first good login. */
async function mustConnect(
  { checkCluster }: ApiDeps,
  name: string,
  access: ClusterAccess,
): Promise<Realms> {
  let realms = access.acceptedRealms;
  const problem = await checkCluster(access, {
    watch: false,
    onRealm: ({ realm, verdict, isGood }) => {
      if (verdict === "first" && isGood) realms = [realm];
    },
  });
  if (problem !== null) fail(250301, name, problem.reason);
  return realms;
}

/** Returns the sealed credentials of a cluster after a change, as `changedCredentials` does. */
export const sealedFor = (
  sealer: Sealer,
  id: string,
  { url, acceptedRealms }: { url: string; acceptedRealms: Realms },
  before: Stored | null,
  given: Credentials,
): string | null =>
  changedCredentials(
    sealer,
    clusterOwner(id),
    { url, realms: acceptedRealms },
    before,
    given,
  );

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
