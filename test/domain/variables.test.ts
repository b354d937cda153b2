import { describe, expect, test } from "vitest";
import { loadConfig, VARIABLES } from "../../config.ts";
import { risks, uselessVariables } from "../../variables.ts";

/** Returns the settings that are meant by misspelt variables. */
const meant = (...names: string[]): (string | undefined)[] =>
  names.map((name) => {
    const [warning = ""] = uselessVariables({ [name]: "x" }, "supervisor");
    return /; is (\w+) meant\?$/.exec(warning)?.[1];
  });

/** Variables that shells, containers, CI, npm, Kubernetes and the tools of Temporal set. */
const FOREIGN = `
  PATH HOME HOSTNAME HOSTTYPE PWD OLDPWD SHELL TERM USER LOGNAME LANG LC_ALL TZ SHLVL
  TMPDIR EDITOR _ CI GITHUB_TOKEN GITHUB_API_URL CI_API_V4_URL CI_PROJECT_URL
  RUNNER_TEMP NODE_ENV NODE_OPTIONS DEBUG npm_config_cache npm_config_loglevel
  npm_package_name INIT_CWD CCACHE_DIR GOCACHE XDG_DATA_HOME XDG_CONFIG_HOME
  XDG_STATE_HOME XDG_RUNTIME_DIR FTP_PROXY ALL_PROXY ftp_proxy no_proxy https_proxy
  KUBERNETES_SERVICE_HOST KUBERNETES_PORT KUBERNETES_PORT_443_TCP_ADDR PORT_SERVICE_HOST
  PORT_8080_TCP_PORT TEMPORAL_SERVICE_PORT TEMPORAL_CLI_ADDRESS TEMPORAL_CLI_TLS_CERT
  TEMPORAL_TLS_CLIENT_CERT_DATA TEMPORAL_TLS_CLIENT_KEY_DATA TEMPORAL_PROFILE
  TEMPORAL_CONFIG_FILE OTEL_EXPORTER_OTLP_HEADERS OTEL_SERVICE_NAME
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT POST GHOST HOSTS PORTS SORT PART AWS_REGION SECRET
  API_KEY ADMIN_USER LOG_DIR DATA_URL APP_URL APP_PORT APP_HOST APP_KEY APP_DIR BASE_URL
  SITE_URL WEB_URL DB_URL DB_HOST DB_PORT REDIS_URL DATABASE_URL INSTANCE_IP INSTANCE_NAME
`
  .trim()
  .split(/\s+/);

describe("the warnings about variables", () => {
  test("a misspelt variable is named with the setting that is meant", () => {
    expect(
      meant("DATADIR", "TEMPORAL_ADRESS", "API_URl", "TRANSFER_WORKER", "PORTT", "port"),
    ).toEqual([
      "DATA_DIR",
      "TEMPORAL_ADDRESS",
      "API_URL",
      "TRANSFER_WORKERS",
      "PORT",
      "PORT",
    ]);
    expect(meant("HSOT", "TIMEZONE", "LOGLEVEL", "SECRET_KEYS", "CACHE_DRI")).toEqual([
      "HOST",
      "TIME_ZONE",
      "LOG_LEVEL",
      "SECRET_KEY",
      "CACHE_DIR",
    ]);
  });

  test("a setting without its underscores, in small letters or without its last letter is recognised", () => {
    const long = VARIABLES.filter((name) => name.length > 5 && !name.endsWith("_PROXY"));
    const ours = long.filter((name) => !/^(?:OTEL_|XDG_|TEMPORAL_CLI_)/.test(name));
    const bare = ours.map((name) => name.replaceAll("_", ""));
    expect(meant(...bare)).toEqual(ours);
    expect(meant(...ours.map((name) => name.toLowerCase()))).toEqual(ours);
    expect(meant(...ours.map((name) => name.slice(0, -1)))).toEqual(ours);
  });

  test("variables of other programs are not warned of", () => {
    const env = Object.fromEntries(FOREIGN.map((name) => [name, "x"]));
    expect(uselessVariables(env, "supervisor")).toEqual([]);
    expect(uselessVariables(env, "worker")).toEqual([]);
    expect(
      uselessVariables({ PORTT: "tcp://10.0.0.1:80", HSOT: "" }, "supervisor"),
    ).toEqual([]);
  });

  test("a setting that has no effect with the others is named with the reason", () => {
    const supervisor = uselessVariables(
      { TEMPORAL_ADDRESS: "host:7233", TEMPORAL_PORT: "1", API_URL: "http://host" },
      "supervisor",
    );
    expect(supervisor).toEqual([
      expect.stringMatching(/^TEMPORAL_PORT has no effect here: TEMPORAL_ADDRESS is set/),
      expect.stringMatching(/^API_URL has no effect here: it is for workers/),
    ]);
    expect(uselessVariables({ TEMPORAL_API_KEY: "secret" }, "supervisor")).toEqual([
      expect.stringMatching(
        /^TEMPORAL_API_KEY has no effect here: TEMPORAL_ADDRESS is not/,
      ),
    ]);
    expect(
      uselessVariables({ API_URL: "http://host", TRANSFER_WORKERS: "8" }, "worker"),
    ).toEqual([expect.stringMatching(/^TRANSFER_WORKERS has no effect here/)]);
  });
});

describe("risks", () => {
  const STRONG = { adminPassword: "correct-horse-battery" };
  test.each<
    [what: string, env: Record<string, string>, password: string, says: RegExp[]]
  >([
    ["the defaults", {}, STRONG.adminPassword, []],
    ["a weak password", {}, "admin", [/easy to guess/]],
    ["a HOST for others", { HOST: "0.0.0.0" }, STRONG.adminPassword, [/without TLS/]],
    ["a HOST by IPv6", { HOST: "::" }, STRONG.adminPassword, [/without TLS/]],
    ["loopback by IPv6", { HOST: "::1" }, STRONG.adminPassword, []],
    [
      "a proxy with TLS",
      { HOST: "0.0.0.0", TRUSTED_PROXIES: "10.0.0.1" },
      STRONG.adminPassword,
      [],
    ],
    [
      "TLS of its own",
      { HOST: "0.0.0.0", TLS_CERT_PATH: "/c.pem", TLS_KEY_PATH: "/k.pem" },
      STRONG.adminPassword,
      [],
    ],
  ])("a start with %s is warned of as it must be", (_what, env, adminPassword, says) => {
    const told = risks(loadConfig(env), { adminPassword });
    expect(told).toHaveLength(says.length);
    says.forEach((words, at) => expect(told[at]).toMatch(words));
  });
});
