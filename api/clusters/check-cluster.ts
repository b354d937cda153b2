import { connectors, instance } from "../../activities/registries/connectors.ts";
import type { Connector, End } from "../../activities/registries/contract.ts";
import type { Check } from "../../domain/check.ts";
import type { Network } from "../../activities/registries/http.ts";
import { toTransferError } from "../../domain/failure.ts";
import { protocolOfScheme } from "../../domain/protocols.ts";
import { parseRegistryUrl } from "../../domain/reference.ts";
import { chineseOf } from "../../domain/chinese/reason.ts";
import { text } from "../../domain/text.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import type { ApiDeps, ClusterAccess, ClusterProblem } from "../deps.ts";
import { UNREADABLE } from "../keys/stored.ts";
import { createPassed } from "./passed.ts";
import { failedAt, neitherProduct, problemOf, slow, untestable } from "./verdict.ts";
import { elapsed } from "../../domain/elapsed.ts";

const DEADLINE_MS = 30_000;

type Checker = Pick<Connector, "check">;
/** The result that decides, and the connector that had it; `check` null: no connector tested the end. */
type Found =
  | { check: Check; by: Checker; problem: ClusterProblem | null }
  | { check: null; problem: ClusterProblem };

/**
 * Returns a function that tests a cluster as the target of a run, within 30 s. The test never
 * throws: an error becomes the reason.
 */
export function createClusterCheck(
  network: Network,
  now: () => number = elapsed,
  deadlineMs = DEADLINE_MS,
): ApiDeps["checkCluster"] {
  const passed = createPassed<Checker>(now);

  /** Asks an end only for what may have changed; undefined: the whole test must decide. */
  async function look(access: ClusterAccess, end: End, signal: AbortSignal) {
    const last = passed.last(access);
    if (last === null) return undefined;
    const { connector, use, isRefused } = last;
    const check = await connector.check(end, use, signal);
    if (isFine(check)) return isRefused ? undefined : null;
    const problem = problemOf(check);
    const isCertain = check.product.ok === true || isRefused;
    if (problem?.refused !== true || !isCertain) return undefined;
    if (!isRefused) passed.note(access, { connector, use: "LOGIN", isRefused: true });
    return problem;
  }

  function judge(access: ClusterAccess, found: Found, watch: boolean) {
    if (found.check === null) return found.problem;
    const { check, by: connector } = found;
    // Whether a run may push where the test's name is refused shows with the run.
    const isUnknown = watch && check.allowed.ofTest === true && !passed.hasPushed(access);
    const problem = isUnknown ? null : found.problem;
    const pushes = check.allowed.ok === true;
    const isRefused = problem?.refused === true;
    const isKnown = problem === null ? check.product.ok === true : isRefused;
    const use = pushes ? "GLANCE" : "LOGIN";
    passed.note(access, isKnown ? { connector, use, isRefused } : null, pushes);
    return problem;
  }

  return async (access, { watch, onRealm } = { watch: false }) => {
    if (access.unreadable === true) return failedAt("authenticated", UNREADABLE);
    const signal = AbortSignal.timeout(deadlineMs);
    let isHeard = false;
    const heard = () => void (isHeard = true);
    const end = { ...endOf(access, network), heard, ...(onRealm && { onRealm }) };
    try {
      const seen = watch ? await look(access, end, signal) : undefined;
      if (seen !== undefined) return seen;
      return judge(access, await checkWhole(access, end, signal), watch);
    } catch (error) {
      passed.note(access, null);
      if (!signal.aborted) return brokenBy(error);
      return isHeard ? slow(new URL(access.url).host, deadlineMs) : silent(deadlineMs);
    }
  };
}

function endOf(
  {
    url,
    username,
    password,
    token,
    acceptedRealms,
    certificate,
    insecureSkipVerify,
  }: ClusterAccess,
  network: Network,
): End {
  const login = { username, password, token, realms: acceptedRealms };
  return { ...network, ...login, url, certificate, insecureSkipVerify, namespace: "" };
}

/** Whether a glance found a cluster as it was; where it cannot tell, the whole test decides. */
const isFine = ({ reachable, product, authenticated, allowed }: Check): boolean =>
  reachable.ok === true &&
  product.ok === true &&
  authenticated.ok !== false &&
  allowed.ok !== false;

const silent = (ms: number): ClusterProblem =>
  failedAt(
    "reachable",
    text(
      `no answer within ${ms / 1000} s: check the url and the network between`,
      `${ms / 1000} 秒内没有应答：请检查 url 和其间的网络`,
    ),
  );

/** The problem of a cluster whose address cannot be opened. */
function brokenBy(error: unknown): ClusterProblem {
  const { message } = toTransferError(error);
  return failedAt(
    "reachable",
    text(message, `无法打开该地址：请检查 url（${chineseOf(message)}）`),
  );
}

/**
 * Tests another instance, or a registry by the protocol of the cluster, else by that of its url (s3,
 * file). Without either, what is sent decides the protocol, so any that is found may be right.
 */
async function checkWhole(
  { type, protocol, url }: ClusterAccess,
  end: End,
  signal: AbortSignal,
): Promise<Found> {
  if (type !== "REMOTE") return foundBy(instance, await write(instance, end, signal));
  const spoken = protocol ?? protocolOfScheme(url);
  if (spoken === null) return checkAny(end, signal);
  const connector = connectorOf(spoken);
  return connector === null
    ? { check: null, problem: untestable(spoken) }
    : foundBy(connector, await write(connector, end, signal));
}

const connectorOf = (protocol: Protocol): Checker | null => connectors[protocol];
const write = (by: Checker, end: End, signal: AbortSignal): Promise<Check> =>
  by.check(end, "WRITE", signal);

const foundBy = (by: Checker, check: Check): Found => ({
  check,
  by,
  problem: problemOf(check),
});

/** Whether a check found everything as it must be, and the product beyond doubt. */
const isProven = (check: Check): boolean =>
  check.product.ok === true && problemOf(check) === null;

/**
 * Tests a registry that may speak OCI or NPM: the path of an npm registry need not be a namespace of
 * images, and a server may serve both. One that refuses images passes as an npm registry only if it
 * surely is one.
 */
async function checkAny(end: End, signal: AbortSignal): Promise<Found> {
  const { OCI, NPM } = connectors;
  const canBeImages = parseRegistryUrl(end.url) !== null;
  const images = canBeImages ? await write(OCI, end, signal) : null;
  if (images !== null && (problemOf(images) === null || images.reachable.ok === false))
    return foundBy(OCI, images);
  const packages = await write(NPM, end, signal);
  if (isProven(packages)) return foundBy(NPM, packages);
  const served = [...(images ? [foundBy(OCI, images)] : []), foundBy(NPM, packages)];
  // The one that surely is the product decides, then the one that may be it.
  const possible = served.filter(({ check }) => check?.product.ok === null);
  const { host } = new URL(end.url);
  return (
    served.find(({ check }) => check?.product.ok === true) ??
    possible.find(({ problem }) => problem === null) ??
    possible[0] ?? { check: null, problem: neitherProduct(host) }
  );
}
