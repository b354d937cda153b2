import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { readWorkerToken } from "./activities/secrets/worker-token.ts";
import { BUDGETS } from "./domain/budgets.ts";
import { StartError } from "./domain/start-error.ts";
import { misspeltVariables } from "./domain/misspelt.ts";
import { hasCredentials, hasQuery, isHttp } from "./domain/http-url.ts";

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNITS;
const isUnit = (unit: string | undefined): unit is Unit =>
  unit !== undefined && Object.hasOwn(UNITS, unit);
const SIZES = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

const text = z.string();
const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(", ")}` });
const flag = oneOf(["true", "false"]).transform((value) => value === "true");

const whole = (min: number, max: number, what = "a whole number") =>
  text
    .regex(/^\d{1,9}$/, `must be ${what} from ${min} to ${max}`)
    .transform(Number)
    .pipe(
      z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`),
    );
const port = text
  .refine((value) => !value.startsWith("tcp://"), {
    error:
      "is what Kubernetes sets for a service of that name: set enableServiceLinks: false for the pod, or rename it",
    abort: true,
  })
  .pipe(whole(0, 65_535, "a port (0 = any free one)"));

/** Parses `90s`, `15m`, `1h` or `7d` into milliseconds; at least `minimumMs` is accepted. */
const duration = (minimumMs: number) =>
  text.transform((value, context) => {
    const match = /^(\d{1,7})([smhd])$/.exec(value);
    const unit = match?.[2];
    const ms = isUnit(unit) ? Number(match?.[1]) * UNITS[unit] : Number.NaN;
    if (ms >= minimumMs) return ms;
    const least = minimumMs > 0 ? `, of at least ${minimumMs / 1_000}s` : "";
    context.addIssue(`must be a duration such as 90s, 15m, 1h or 7d${least}`);
    return z.NEVER;
  });

/** Parses a size in bytes, or with the unit KiB, MiB or GiB, into bytes. */
const bytes = text.transform((value, context) => {
  const match = /^(\d{1,15}) ?(KiB|MiB|GiB|)$/.exec(value);
  const unit = match?.[2];
  if (unit === "" || unit === "KiB" || unit === "MiB" || unit === "GiB")
    return Number(match?.[1]) * SIZES[unit];
  context.addIssue(
    "must be a size in bytes, or with a unit such as 512KiB, 1MiB or 2GiB",
  );
  return z.NEVER;
});

/** Parses a base address: http or https, without credentials, query or fragment; the result has no slash at its end. */
const baseUrl = text.transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && isHttp(url) && !hasCredentials(url) && !hasQuery(url))
    return url.href.replace(/\/+$/, "");
  context.addIssue(
    "must be a URL such as https://host:port/path, without credentials, query or fragment",
  );
  return z.NEVER;
});

const secret = text.min(
  32,
  "must have at least 32 characters (`openssl rand -hex 32` makes one)",
);
/** Parses a worker's token into its identity. */
const workerIdentity = text.transform((token, context) => {
  const identity = readWorkerToken(token);
  if (identity !== null) return identity;
  context.addIssue("must be a token as worker/create answers it, arw_…");
  return z.NEVER;
});
const hostPort = text.refine((value) => {
  const [, port] = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(value) ?? [];
  return Number(port) >= 1 && Number(port) <= 65_535;
}, "must be host:port with a port from 1 to 65535");
const host = text.regex(/^[A-Za-z0-9._:-]+$/, "must be a host name or an IP address");

const timeZone = text.refine((zone) => {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: zone }));
  } catch {
    return false;
  }
}, "must be an IANA time zone such as Europe/Berlin");

/** Parses comma-separated addresses or ranges into `address/prefix` each. */
const addressRanges = text.transform((value, context) =>
  value.split(",").map((entry) => {
    const [address = "", prefix, ...rest] = entry.trim().split("/");
    const bits = isIP(address) === 4 ? 32 : 128;
    const length =
      prefix === undefined
        ? bits
        : /^\d{1,3}$/.test(prefix)
          ? Number(prefix)
          : Number.NaN;
    if (isIP(address) && length <= bits && rest.length === 0)
      return `${address}/${length}`;
    context.addIssue(
      `"${entry.trim()}" is not an address or range such as 169.254.10.0/24`,
    );
    return z.NEVER;
  }),
);

const pemFile = text.transform((path, context) => {
  try {
    return readFileSync(path);
  } catch (error) {
    context.addIssue(
      `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return z.NEVER;
  }
});

const path = text.transform((given) => resolve(given));

/** Every setting. The variable is the name in capitals: `dataDir` is DATA_DIR. An empty variable counts as unset. */
const settings = z.object({
  host: host.default("127.0.0.1"),
  port: port.prefault("8080"),
  publicUrl: baseUrl.optional(),
  trustedProxies: addressRanges.default([]),
  tlsCertPath: path.optional(),
  tlsKeyPath: path.optional(),
  dataDir: path.prefault("data"),
  cacheDir: path.optional(),
  xdgCacheHome: text.optional(),
  apiUrl: baseUrl.optional(),
  allowHttpApiUrl: flag.prefault("false"),
  /** Whether API_URL is on this machine, which the supervisor sets for its workers. */
  apiBeside: flag.prefault("false"),
  adminUsername: text
    .regex(
      /^[^:\s\p{Cc}]{1,64}$/u,
      "must have 1 to 64 characters, without colons and blanks",
    )
    .default("admin"),
  adminPassword: text.optional(),
  secretKey: secret.optional(),
  /** For `npm run rotate-key` only. */
  newSecretKey: secret.optional(),
  workerToken: workerIdentity.optional(),
  metricsToken: text
    .regex(/^[\x21-\x7e]{16,}$/, "must have at least 16 characters, without blanks")
    .optional(),
  localClusterName: text
    .min(2, "must have 2 to 256 characters")
    .max(256, "must have 2 to 256 characters")
    .default("center"),
  timeZone: timeZone.default(Intl.DateTimeFormat().resolvedOptions().timeZone),

  temporalAddress: hostPort.optional(),
  temporalNamespace: text
    .regex(
      /^[A-Za-z0-9._-]{2,255}$/,
      "must be the name of a namespace: 2 to 255 letters, digits, . _ or -",
    )
    .default("default"),
  temporalApiKey: text.optional(),
  temporalTls: flag.optional(),
  temporalTlsServerName: host.optional(),
  temporalTlsServerCaCertPath: pemFile.optional(),
  temporalTlsClientCertPath: pemFile.optional(),
  temporalTlsClientKeyPath: pemFile.optional(),
  temporalCliPath: path.optional(),
  temporalPort: port.prefault("7233"),
  temporalUiPort: port.prefault("8233"),
  temporalBind: text
    .refine((ip) => isIP(ip) > 0, "must be an IP address")
    .default("127.0.0.1"),
  temporalRetention: duration(3_600_000).prefault("7d"),

  transferWorkers: whole(0, 64).prefault("2"),
  transferConcurrency: whole(1, 256).prefault("16"),
  batchSlice: duration(1_000).prefault("20s"),
  heartbeatInterval: duration(1_000).optional(),
  catchUpWindow: duration(10_000).prefault("1h"),
  retryWindow: duration(0).prefault("15m"),
  reconcileInterval: duration(1_000).prefault("60s"),
  allowedAddresses: addressRanges.default([]),
  maxJsonBody: bytes.prefault("1MiB"),
  maxUpload: bytes.optional(),
  maxTags: whole(1, 1_000_000).default(BUDGETS.maxTags),
  maxEmptyPages: whole(1, 100_000).default(BUDGETS.maxEmptyPages),
  maxListed: whole(1, 999_999_999).default(BUDGETS.maxListed),
  minRate: bytes.default(BUDGETS.minRate),
  maxUnsized: bytes.default(BUDGETS.maxUnsized),
  scrubDays: whole(0, 3_650).prefault("30"),
  diskReserve: bytes.optional(),
  /** The OpenTelemetry SDK reads this variable and its companions (OTEL_…) itself. */
  otelExporterOtlpEndpoint: baseUrl.optional(),
  logLevel: oneOf(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default(
    "info",
  ),
  logFormat: oneOf(["text", "json"]).optional(),
  httpProxy: text.optional(),
  httpsProxy: text.optional(),
  noProxy: text.optional(),

  /** The id of the instance, which the supervisor sets for the processes that it starts. */
  instanceId: text
    .regex(
      /^[a-z0-9]{8,32}$/,
      "must be the id of an instance: 8 to 32 lower-case letters or digits",
    )
    .optional(),
  /** The identities of the supervisor's own workers, which it sets for the control plane. */
  ownWorkers: text
    .transform((tokens) => tokens.split(",").map((token) => readWorkerToken(token)))
    .pipe(z.array(z.object({ id: z.string(), secret: z.string() })))
    .optional(),
});

type Settings = z.output<typeof settings>;
type Key = keyof Settings;
const keys = Object.keys(settings.shape) as Key[];

const variable = (key: string) =>
  key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** The names of all settings' variables. */
export const VARIABLES: readonly string[] = keys.map(variable);

function userCache(xdgCacheHome: string | undefined): string {
  const own = process.platform === "darwin" ? join("Library", "Caches") : ".cache";
  return resolve(xdgCacheHome ?? join(home(), own), "artifact-replication");
}

/** Returns the user's home; for a user without one `/`, as container runtimes do. */
function home(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}

/**
 * Returns the TLS options of Temporal's SDK; false: no TLS. TEMPORAL_TLS decides if it is set; otherwise
 * any other TLS setting, or an API key, turns TLS on.
 */
function tlsOf(given: Settings) {
  const { temporalTlsClientCertPath: crt, temporalTlsClientKeyPath: key } = given;
  const custom = {
    ...(given.temporalTlsServerName && {
      serverNameOverride: given.temporalTlsServerName,
    }),
    ...(given.temporalTlsServerCaCertPath && {
      serverRootCACertificate: given.temporalTlsServerCaCertPath,
    }),
    ...(crt && key && { clientCertPair: { crt, key } }),
  };
  const wanted =
    given.temporalTls ??
    (given.temporalApiKey !== undefined || Object.keys(custom).length > 0);
  return wanted && Object.freeze(custom);
}

/** Returns the problems that only show when settings are compared with each other. */
function contradictions(given: Settings): string[] {
  const halfPair =
    (given.temporalTlsClientCertPath === undefined) !==
    (given.temporalTlsClientKeyPath === undefined);
  const halfTls = (given.tlsCertPath === undefined) !== (given.tlsKeyPath === undefined);
  const clash =
    given.temporalAddress === undefined &&
    given.temporalPort !== 0 &&
    given.temporalPort === given.temporalUiPort;
  return [
    ...(halfPair
      ? [
          "TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH must be set together",
        ]
      : []),
    ...(halfTls
      ? ["TLS_CERT_PATH and TLS_KEY_PATH must be set together, or neither for HTTP"]
      : []),
    ...(clash ? ["TEMPORAL_PORT and TEMPORAL_UI_PORT must differ"] : []),
  ];
}

function assemble(given: Settings) {
  const {
    temporalTlsServerName: _name,
    temporalTlsServerCaCertPath: _ca,
    temporalTlsClientCertPath: _crt,
    temporalTlsClientKeyPath: _key,
    tlsCertPath: certPath,
    tlsKeyPath: keyPath,
    xdgCacheHome,
    maxTags,
    maxEmptyPages,
    maxListed,
    minRate,
    maxUnsized,
    ...rest
  } = given;
  return {
    ...rest,
    cacheDir: given.cacheDir ?? userCache(xdgCacheHome),
    allowedAddresses: Object.freeze(given.allowedAddresses),
    budgets: Object.freeze({ maxTags, maxEmptyPages, maxListed, minRate, maxUnsized }),
    trustedProxies: Object.freeze(given.trustedProxies),
    /** The files with which the API speaks HTTPS; null: it speaks HTTP. */
    tls: certPath && keyPath ? Object.freeze({ certPath, keyPath }) : null,
    temporalTls: tlsOf(given),
  };
}

/** All settings of a process, validated; durations are in milliseconds, sizes in bytes, paths absolute. */
export type Config = Readonly<ReturnType<typeof assemble>>;

/**
 * Reads the settings from `env`; the `needed` ones must be set. Throws one error that lists the problems of
 * all settings, and the misspelt ones, which may be their cause.
 */
export function loadConfig<K extends keyof Config = never>(
  env: Readonly<Record<string, string | undefined>>,
  needed: readonly K[] = [],
): Config & { readonly [P in K]-?: NonNullable<Config[P]> } {
  const given = Object.fromEntries(
    keys.map((key) => [key, read(env, variable(key))]).filter(([, value]) => value),
  );
  const parsed = settings.safeParse(given);
  const problems = parsed.success
    ? contradictions(parsed.data)
    : parsed.error.issues.map(
        (issue) => `${variable(String(issue.path[0]))} ${issue.message}`,
      );
  problems.push(
    ...needed
      .filter((key) => !(key in given))
      .map((key) => `${variable(key)} must be set`),
  );
  if (!parsed.success || problems.length > 0) {
    throw new StartError(
      [
        "The configuration is not valid:",
        ...problems,
        ...misspeltVariables(env, VARIABLES),
      ].join("\n  - "),
    );
  }
  // The cast is safe: each needed key was just found in `given`.
  return Object.freeze(assemble(parsed.data)) as Config & {
    readonly [P in K]-?: NonNullable<Config[P]>;
  };
}

/** Reads one variable; undefined or empty when it is not set. Proxy variables are also read in lower case. */
function read(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): string | undefined {
  return env[name] || (name.endsWith("_PROXY") ? env[name.toLowerCase()] : undefined);
}
