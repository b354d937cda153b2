import { connectors, instance } from "../../activities/registries/connectors.ts";
import type { Connector, End } from "../../activities/registries/contract.ts";
import type { Check } from "../../domain/check.ts";
import type { HttpOptions } from "../../activities/registries/http.ts";
import { toTransferError } from "../../domain/failure.ts";
import { protocolOfScheme } from "../../domain/protocols.ts";
import { parseRegistryUrl } from "../../domain/reference.ts";
import { chineseOf } from "../../domain/chinese/reason.ts";
import { text } from "../../domain/text.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import type { ApiDeps, ClusterAccess, ClusterProblem } from "../deps.ts";
import { createPassed } from "./passed.ts";
import { failedAt, neitherProduct, problemOf, untestable } from "./verdict.ts";

const DEADLINE_MS = 15_000;

type Network = Pick<HttpOptions, "allowedAddresses" | "proxy">;
type Checker = Pick<Connector, "check">;
/** `by`: the connector that passed beyond doubt; null: none did. */
type Found = { problem: ClusterProblem | null; by: Checker | null };

/**
 * Returns a function that tests a cluster as the target of a run, within 15 s. The test never
 * throws: an error becomes the reason.
 */
export function createClusterCheck(
  network: Network,
  now: () => number = Date.now,
): ApiDeps["checkCluster"] {
  const passed = createPassed<Checker>(now);
  return async (access, { watch } = { watch: false }) => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const end = endOf(access, network);
    try {
      const known = watch ? passed.by(access) : null;
      if (known !== null && isFine(await known.check(end, "GLANCE", signal))) return null;
      const { problem, by } = await checkWhole(access, end, signal);
      passed.note(access, by);
      return problem;
    } catch (error) {
      passed.note(access, null);
      return signal.aborted ? LATE : brokenBy(error);
    }
  };
}

function endOf(
  { url, username, password, token, certificate, insecureSkipVerify }: ClusterAccess,
  network: Network,
): End {
  const login = { username, password, token };
  return { ...network, ...login, url, certificate, insecureSkipVerify, namespace: "" };
}

/** Whether a glance found a cluster as it was; where it cannot tell, the whole test decides. */
const isFine = ({ reachable, product, authenticated, allowed }: Check): boolean =>
  reachable.ok === true &&
  product.ok === true &&
  authenticated.ok !== false &&
  allowed.ok !== false;

const LATE = failedAt(
  "reachable",
  text(
    `no answer within ${DEADLINE_MS / 1000} s: check the url and the network between`,
    `${DEADLINE_MS / 1000} 秒内没有应答：请检查 url 和其间的网络`,
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
  if (type !== "REMOTE") return checkBy(instance, end, signal);
  const spoken = protocol ?? protocolOfScheme(url);
  if (spoken === null) return checkAny(end, signal);
  const connector = connectorOf(spoken);
  return connector === null
    ? { problem: untestable(spoken), by: null }
    : checkBy(connector, end, signal);
}

const connectorOf = (protocol: Protocol): Checker | null => connectors[protocol];

async function checkBy(by: Checker, end: End, signal: AbortSignal): Promise<Found> {
  const check = await by.check(end, "WRITE", signal);
  return { problem: problemOf(check), by: isProven(check) ? by : null };
}

/** Whether a check found everything as it must be, and the product beyond doubt. */
const isProven = (check: Check): boolean =>
  check.product.ok === true && problemOf(check) === null;

/**
 * Tests a registry that may speak OCI or NPM: the path of an npm registry need not be a namespace of
 * images, and a server may serve both. One that refuses images passes as an npm registry only if it
 * surely is one.
 */
async function checkAny(end: End, signal: AbortSignal): Promise<Found> {
  const canBeImages = parseRegistryUrl(end.url) !== null;
  const images = canBeImages ? await connectors.OCI.check(end, "WRITE", signal) : null;
  if (images !== null && problemOf(images) === null)
    return { problem: null, by: isProven(images) ? connectors.OCI : null };
  if (images?.reachable.ok === false) return { problem: problemOf(images), by: null };
  const packages = await connectors.NPM.check(end, "WRITE", signal);
  if (isProven(packages)) return { problem: null, by: connectors.NPM };
  const served = [images, packages].filter((check) => check !== null);
  // The one that surely is the product decides, then the one that may be it.
  const possible = served.filter(({ product }) => product.ok === null);
  const decisive =
    served.find(({ product }) => product.ok === true) ??
    possible.find((check) => problemOf(check) === null) ??
    possible[0];
  const { host } = new URL(end.url);
  return { problem: decisive ? problemOf(decisive) : neitherProduct(host), by: null };
}
