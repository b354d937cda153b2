/** Warnings about environment variables that are set to no effect: misspelt, or not used with the others. */

import { VARIABLES } from "./config.ts";

type Env = Readonly<Record<string, string | undefined>>;
/** The processes that people start. */
type Program = "supervisor" | "worker";

/** Variables of other programs that are called almost like ours. */
const OTHERS = new RegExp(
  "^(?:XDG_|OTEL_|npm_|TEMPORAL_CLI_|TEMPORAL_TLS_.*_DATA$)" +
    "|_PROXY$|_SERVICE_(?:HOST|PORT)|_PORT_\\d+_(?:TCP|UDP)|^CCACHE_DIR$",
  "i",
);
/** The value of a variable that Kubernetes sets for a service. */
const SERVICE_LINK = /^(?:tcp|udp):\/\//;
const SHORT = 6;

const EMBEDDED_ONLY = [
  "TEMPORAL_PORT",
  "TEMPORAL_UI_PORT",
  "TEMPORAL_BIND",
  "TEMPORAL_RETENTION",
  "TEMPORAL_CLI_PATH",
];
const OF_A_SERVER = VARIABLES.filter((name) => /^TEMPORAL_(?:API_KEY|TLS)/.test(name));

type Rule = { holds: (env: Env) => boolean; names: readonly string[]; why: string };

const RULES: Record<Program, Rule[]> = {
  supervisor: [
    {
      holds: (env) => isSet(env, "TEMPORAL_ADDRESS"),
      names: EMBEDDED_ONLY,
      why: "TEMPORAL_ADDRESS is set, so no Temporal is started here",
    },
    {
      holds: (env) => !isSet(env, "TEMPORAL_ADDRESS"),
      names: OF_A_SERVER,
      why: "TEMPORAL_ADDRESS is not set, so an embedded Temporal without TLS and keys is started",
    },
    {
      holds: () => true,
      names: ["API_URL"],
      why: "it is for workers (npm run worker); PUBLIC_URL says where clients reach the service",
    },
    {
      holds: () => true,
      names: ["INSTANCE_ID"],
      why: "the id is kept in DATA_DIR/instance-id",
    },
    {
      holds: (env) => env["TRANSFER_WORKERS"] === "0",
      names: ["TRANSFER_CONCURRENCY", "BATCH_SLICE"],
      why: "TRANSFER_WORKERS is 0; set it where the workers run",
    },
  ],
  worker: [
    {
      holds: () => true,
      names: [
        ...EMBEDDED_ONLY,
        "TRANSFER_WORKERS",
        "RETRY_WINDOW",
        "CATCH_UP_WINDOW",
        "RECONCILE_INTERVAL",
        "MAX_UPLOAD",
        "MAX_JSON_BODY",
        "PUBLIC_URL",
        "LOCAL_CLUSTER_NAME",
        "METRICS_TOKEN",
      ],
      why: "this is one transfer worker; set it for the service (npm start)",
    },
    {
      holds: (env) => !isSet(env, "TEMPORAL_ADDRESS"),
      names: ["TEMPORAL_NAMESPACE"],
      why: "the control plane says it, unless TEMPORAL_ADDRESS is set",
    },
  ],
};

/** Returns one sentence for each variable that is set and has no effect; names only, never values. */
export function uselessVariables(env: Env, program: Program): string[] {
  const misspelt = Object.keys(env).flatMap((name) => {
    const meant = isSet(env, name) ? meantBy(name, env[name]) : undefined;
    return meant === undefined
      ? []
      : [`${name} is not a setting and has no effect; is ${meant} meant?`];
  });
  const idle = RULES[program].flatMap(({ holds, names, why }) =>
    holds(env)
      ? names
          .filter((name) => isSet(env, name))
          .map((name) => `${name} has no effect here: ${why}`)
      : [],
  );
  return [...misspelt, ...idle];
}

const isSet = (env: Env, name: string): boolean => Boolean(env[name]);

function meantBy(name: string, value = ""): string | undefined {
  if (VARIABLES.includes(name) || OTHERS.test(name) || SERVICE_LINK.test(value))
    return undefined;
  return VARIABLES.find((known) => isSlip(plain(name), plain(known)));
}

const plain = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "");

/**
 * Whether a name is written as another with one slip: a letter too many, lacking, wrong, or two exchanged. In a short
 * name, where one letter makes another word, only a doubled letter or an exchange counts.
 */
function isSlip(name: string, known: string): boolean {
  if (name === known) return true;
  let start = 0;
  while (start < name.length && name[start] === known[start]) start += 1;
  let end = 0;
  const most = Math.min(name.length, known.length) - start;
  while (end < most && name.at(-1 - end) === known.at(-1 - end)) end += 1;
  const [given, right] = [name, known].map((one) => one.slice(start, one.length - end));
  if (given === undefined || right === undefined) return false;
  if (given.length === 2 && right.length === 2)
    return given[0] === right[1] && given[1] === right[0];
  if (known.length < SHORT)
    return right === "" && given.length === 1 && given === name[start - 1];
  return given.length <= 1 && right.length <= 1;
}
