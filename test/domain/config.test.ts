import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../config.ts";

function problems(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    return String(error)
      .split("\n")
      .slice(1)
      .map((line) => line.replace("  - ", ""));
  }
}

describe("the configuration", () => {
  test("the configuration has the documented defaults if no variable is set", () => {
    expect(loadConfig({})).toEqual({
      host: "127.0.0.1",
      port: 8080,
      dataDir: resolve("data"),
      cacheDir: expect.stringMatching(/\/artifact-replication$/),
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      adminUsername: "admin",
      localClusterName: "center",
      temporalNamespace: "default",
      temporalPort: 7233,
      temporalUiPort: 8233,
      temporalTls: false,
      temporalBind: "127.0.0.1",
      temporalRetention: 604_800_000,
      allowHttpApiUrl: false,
      apiBeside: false,
      tls: null,
      trustedProxies: [],
      transferWorkers: 2,
      transferConcurrency: 16,
      batchSlice: 20_000,
      catchUpWindow: 3_600_000,
      retryWindow: 900_000,
      reconcileInterval: 60_000,
      allowedAddresses: [],
      maxJsonBody: 1_048_576,
      budgets: {
        maxTags: 100_000,
        maxEmptyPages: 100,
        maxListed: 10_000_000,
        minRate: 1_024,
        maxUnsized: 17_179_869_184,
      },
      scrubDays: 30,
      logLevel: "info",
    });
  });

  test("the configuration cannot be changed after it was loaded", () => {
    const config = loadConfig({ ALLOWED_ADDRESSES: "10.0.0.0/8" });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.allowedAddresses)).toBe(true);
  });

  test("the configuration reports every problem at once, each with its variable", () => {
    const wrong = {
      HOST: "a b",
      PORT: "70000",
      PUBLIC_URL: "ftp://host",
      API_URL: "https://user:secret@host",
      ADMIN_USERNAME: "a:b",
      SECRET_KEY: "short",
      NEW_SECRET_KEY: "short",
      WORKER_TOKEN: "short",
      LOCAL_CLUSTER_NAME: "x",
      TIME_ZONE: "Mars/Olympus",
      TEMPORAL_ADDRESS: "nowhere",
      TEMPORAL_NAMESPACE: "a b",
      TEMPORAL_TLS: "yes",
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: "/does/not/exist",
      TEMPORAL_BIND: "localhost",
      TEMPORAL_RETENTION: "30m",
      TRANSFER_WORKERS: "-1",
      TRANSFER_CONCURRENCY: "0",
      CATCH_UP_WINDOW: "1s",
      RETRY_WINDOW: "15",
      RECONCILE_INTERVAL: "0s",
      ALLOWED_ADDRESSES: "10.0.0.0/33",
      MAX_JSON_BODY: "1 TB",
      MAX_UPLOAD: "much",
      SCRUB_DAYS: "-1",
      LOG_LEVEL: "loud",
      LOG_FORMAT: "xml",
    };
    const reported = problems(wrong);
    expect(reported.map((line) => line.split(" ")[0]).sort()).toEqual(
      Object.keys(wrong).sort(),
    );
    expect(reported.join()).not.toContain("secret@");
  });

  test.each(["host:0", "host:65536", "host:72333", "[::1]:99999", "host:", "host"])(
    "the configuration refuses %s as Temporal's address",
    (address) => {
      expect(problems({ TEMPORAL_ADDRESS: address })).toEqual([
        "TEMPORAL_ADDRESS must be host:port with a port from 1 to 65535",
      ]);
    },
  );

  test("the configuration accepts names and addresses with a port for Temporal's address", () => {
    for (const address of ["host:1", "a-b.c_d:65535", "[::1]:7233"])
      expect(loadConfig({ TEMPORAL_ADDRESS: address }).temporalAddress).toBe(address);
  });

  test("the configuration error names misspelt settings after the problems, without their values", () => {
    expect(problems({ PORT: "x", DATADIR: "secret", PATH: "/bin" })).toEqual([
      "PORT must be a port (0 = any free one) from 0 to 65535",
      "DATADIR is not a setting and has no effect; is DATA_DIR meant?",
    ]);
    expect(() => loadConfig({ API_URl: "http://host" }, ["apiUrl"])).toThrow(
      /API_URL must be set[^]*API_URl is not a setting/,
    );
  });

  test.each([
    ["90s", 90_000],
    ["15m", 900_000],
    ["2h", 7_200_000],
    ["3d", 259_200_000],
    ["0s", 0],
  ])("the configuration accepts the duration %s", (text, milliseconds) => {
    expect(loadConfig({ RETRY_WINDOW: text }).retryWindow).toBe(milliseconds);
  });

  test.each([
    ["1000", 1_000],
    ["512KiB", 524_288],
    ["2 GiB", 2_147_483_648],
  ])("the configuration accepts the size %s", (text, bytes) => {
    expect(loadConfig({ MAX_UPLOAD: text }).maxUpload).toBe(bytes);
  });

  test("the configuration treats an empty variable as not set", () => {
    expect(loadConfig({ PORT: "", PUBLIC_URL: "", MAX_UPLOAD: "" })).toEqual(
      loadConfig({}),
    );
  });

  test("the configuration accepts address ranges and single addresses", () => {
    expect(
      loadConfig({ ALLOWED_ADDRESSES: "10.0.0.0/8, ::1,192.0.2.7" }).allowedAddresses,
    ).toEqual(["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
  });

  test("the configuration error names the required settings that are not set", () => {
    expect(() => loadConfig({ PORT: "x" }, ["apiUrl", "workerToken"])).toThrow(
      /PORT must[^]*API_URL must be set[^]*WORKER_TOKEN must be set/,
    );
    expect(loadConfig({ API_URL: "http://127.0.0.1:8080/" }, ["apiUrl"]).apiUrl).toBe(
      "http://127.0.0.1:8080",
    );
  });

  test("the configuration enables TLS for an API key or TLS file, and needs key and certificate together", () => {
    const file = join(mkdtempSync(join(tmpdir(), "config-")), "pem");
    writeFileSync(file, "pem");
    expect(loadConfig({ TEMPORAL_API_KEY: "key" }).temporalTls).toEqual({});
    expect(
      loadConfig({ TEMPORAL_API_KEY: "key", TEMPORAL_TLS: "false" }).temporalTls,
    ).toBe(false);
    expect(loadConfig({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: file }).temporalTls).toEqual({
      serverRootCACertificate: Buffer.from("pem"),
    });
    expect(problems({ TEMPORAL_TLS_CLIENT_CERT_PATH: file })).toEqual([
      "TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH must be set together",
    ]);
  });
});
