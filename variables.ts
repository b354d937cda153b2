/** Warnings about settings: variables that are set to no effect (misspelt, or not used with the others), and risks. */

import { isIPv6 } from "node:net";
import { type Config, VARIABLES } from "./config.ts";
import { isLoopback } from "./domain/http-url.ts";
import { weaknessOf } from "./domain/password.ts";
import { misspeltVariables } from "./domain/misspelt.ts";

type Env = Readonly<Record<string, string | undefined>>;
/** The processes that people start. */
type Program = "supervisor" | "worker";

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
      names: ["API_URL", "ALLOW_HTTP_API_URL", "API_BESIDE", "WORKER_TOKEN"],
      why: "it is for workers (npm run worker); PUBLIC_URL says where clients reach the service",
    },
    {
      holds: () => true,
      names: ["INSTANCE_ID"],
      why: "the id is kept in DATA_DIR/instance-id",
    },
    {
      holds: () => true,
      names: ["NEW_SECRET_KEY"],
      why: "it is for npm run rotate-key",
    },
    {
      holds: () => true,
      names: ["OWN_WORKERS"],
      why: "the service makes the identities of its own workers",
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
        "SCRUB_DAYS",
        "DISK_RESERVE",
        "MAX_JSON_BODY",
        "PUBLIC_URL",
        "TRUSTED_PROXIES",
        "TLS_CERT_PATH",
        "TLS_KEY_PATH",
        "LOCAL_CLUSTER_NAME",
        "METRICS_TOKEN",
        "ADMIN_PASSWORD",
        "NEW_SECRET_KEY",
        "OWN_WORKERS",
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
  const idle = RULES[program].flatMap(({ holds, names, why }) =>
    holds(env)
      ? names
          .filter((name) => isSet(env, name))
          .map((name) => `${name} has no effect here: ${why}`)
      : [],
  );
  return [...misspeltVariables(env, VARIABLES), ...idle];
}

const isSet = (env: Env, name: string): boolean => Boolean(env[name]);

/** Returns one sentence for each setting with which a stranger may get at the service. */
export function risks(
  { host, tls, trustedProxies, adminUsername }: Config,
  { adminPassword }: { adminPassword: string },
): string[] {
  const weakness = weaknessOf(adminPassword, adminUsername);
  const at = new URL(`http://${isIPv6(host) ? `[${host}]` : host}`);
  const isOpen = !isLoopback(at) && tls === null && trustedProxies.length === 0;
  return [
    ...(weakness === null
      ? []
      : [
          `The password of the administrator is easy to guess (${weakness}): ` +
            "set ADMIN_PASSWORD to one of 12 or more characters and start again",
        ]),
    ...(isOpen ? [WITHOUT_TLS] : []),
  ];
}

const WITHOUT_TLS =
  "HOST lets other machines reach the API without TLS, so their logins can be read on the way: set TLS_CERT_PATH and " +
  "TLS_KEY_PATH, or put a proxy with TLS before it and name that in TRUSTED_PROXIES";
