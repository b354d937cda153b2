import { FOREIGN_TOKEN } from "../rigs/runs/remote-worker.ts";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  canStart,
  mounted,
  type Starter,
  startWrongly,
  STRANGER,
} from "../rigs/runs/mistaken-start.ts";
import { ROOT } from "../rigs/runs/program.ts";
import { createCa, readIssued } from "../rigs/servers/certificates.ts";

const place = mkdtempSync(join(tmpdir(), "mistakes-"));
const inPlace = (name: string) => join(place, name);
const FILE = inPlace("file");
const CLOSED = inPlace("closed");
const OPEN = inPlace("open");
const OWNED = inPlace("owned");
const DAMAGED = inPlace("damaged");
const MOUNT = inPlace("mount");

const KEY = "0123456789abcdef0123456789abcdef";

const ca = createCa();
const [own, other] = [ca.issue("own"), ca.issue("other")];
const PROTECTED = inPlace("protected.pem");
const CHAIN = inPlace("chain.pem");
const tls = (certFile: string, keyFile: string) => ({
  TLS_CERT_PATH: certFile,
  TLS_KEY_PATH: keyFile,
});

const ports = await Promise.all([1, 2, 3].map(takePort));
const [port = 0, temporalPort = 0, uiPort = 0] = ports.map(portOf);

beforeAll(() => {
  chmodSync(place, 0o755);
  writeFileSync(FILE, "in the way");
  for (const folder of [CLOSED, DAMAGED, OPEN, OWNED, MOUNT]) mkdirSync(folder);
  writeFileSync(join(OWNED, "replication.db"), "");
  chmodSync(join(OWNED, "replication.db"), 0o400);
  // A database that is not the service's does not matter.
  writeFileSync(join(OWNED, "another.db"), "", { mode: 0o400 });
  for (const folder of [OPEN, OWNED]) chmodSync(folder, 0o777);
  chmodSync(CLOSED, 0o500);
  protect(own.keyFile, PROTECTED);
  writeFileSync(CHAIN, `${ca.pem}${readIssued(own).cert}`);
  writeFileSync(join(DAMAGED, "replication.db"), "no database ".repeat(1_000));
});
afterAll(() => {
  for (const server of ports) server.close();
  rmSync(place, { recursive: true, force: true });
  ca.remove();
});

/** Writes a key again with a passphrase. */
function protect(keyFile: string, to: string): void {
  const args = ["pkey", "-in", keyFile, "-aes256", "-passout", "pass:secret", "-out", to];
  execFileSync("openssl", args, { stdio: "ignore" });
}

async function takePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
function portOf(server: ReturnType<typeof createServer>): number {
  return (server.address() as AddressInfo).port;
}

type Mistake = {
  what: string;
  env: Record<string, string>;
  /** What the last line on the screen has: the variable, the thing, and the remedy. */
  says: string[];
  by?: Starter;
  entry?: "main" | "activities/start";
};

/** Settings with which the other mistakes reach their own check. */
const FINE = {
  DATA_DIR: inPlace("data"),
  CACHE_DIR: inPlace("cache"),
  PORT: "0",
  TEMPORAL_ADDRESS: "127.0.0.1:1",
};
const WORKER = { API_URL: "http://127.0.0.1:1", WORKER_TOKEN: FOREIGN_TOKEN };

const MISTAKES: Mistake[] = [
  {
    what: "DATA_DIR below /proc",
    env: { DATA_DIR: "/proc/data" },
    says: ["DATA_DIR /proc/data", "nothing can be made in /proc", "set DATA_DIR to"],
  },
  {
    what: "DATA_DIR that is a file",
    env: { DATA_DIR: FILE },
    says: [`DATA_DIR ${FILE}`, "not a folder", "set DATA_DIR to a folder"],
  },
  {
    what: "DATA_DIR below a file",
    env: { DATA_DIR: join(FILE, "a/b") },
    says: [`DATA_DIR ${FILE}/a/b`, `${FILE} is a file`, "set DATA_DIR"],
  },
  {
    what: "DATA_DIR that cannot be written",
    env: { DATA_DIR: CLOSED },
    by: STRANGER,
    says: [`DATA_DIR ${CLOSED}`, "may not", "chown", "set DATA_DIR"],
  },
  {
    what: "DATA_DIR whose parent cannot be written",
    env: { DATA_DIR: join(CLOSED, "a/b") },
    by: STRANGER,
    says: [`DATA_DIR ${CLOSED}/a/b`, "may not", "chown", "set DATA_DIR"],
  },
  {
    what: "DATA_DIR with a database of another user",
    env: { DATA_DIR: OWNED },
    by: STRANGER,
    says: [`DATA_DIR ${OWNED}`, "replication.db", "chown", "set DATA_DIR"],
  },
  {
    what: "DATA_DIR on a full disk",
    env: { DATA_DIR: MOUNT },
    by: mounted("size=16k", MOUNT),
    says: [`DATA_DIR ${MOUNT}`, "no space is left", "another disk"],
  },
  {
    what: "DATA_DIR on a read-only disk",
    env: { DATA_DIR: MOUNT },
    by: mounted("ro", MOUNT),
    says: [`DATA_DIR ${MOUNT}`, "read-only", "set DATA_DIR"],
  },
  {
    what: "a database that is none, which the control plane notices",
    env: { DATA_DIR: DAMAGED },
    says: [`${DAMAGED}/replication.db`, "not a database", "restore it from a backup"],
  },
  {
    what: "CACHE_DIR that is a file",
    env: { CACHE_DIR: FILE },
    says: [`CACHE_DIR ${FILE}`, "not a folder", "set CACHE_DIR to a folder"],
  },
  {
    what: "CACHE_DIR that cannot be written",
    env: { CACHE_DIR: CLOSED, DATA_DIR: join(OPEN, "data") },
    by: STRANGER,
    says: [`CACHE_DIR ${CLOSED}`, "may not", "set CACHE_DIR"],
  },
  {
    what: "a home that is not there",
    env: { CACHE_DIR: "", HOME: "/proc/nobody" },
    says: ["/proc/nobody/.cache", "the default of CACHE_DIR", "set CACHE_DIR"],
  },
  {
    what: "all ports in use",
    env: {
      PORT: String(port),
      TEMPORAL_PORT: String(temporalPort),
      TEMPORAL_UI_PORT: String(uiPort),
      TEMPORAL_ADDRESS: "",
    },
    says: [
      `port ${port} at 127.0.0.1 (PORT)`,
      `port ${temporalPort} at 127.0.0.1 (TEMPORAL_PORT)`,
      `port ${uiPort} at 127.0.0.1 (TEMPORAL_UI_PORT)`,
      "set PORT=0 TEMPORAL_PORT=0 TEMPORAL_UI_PORT=0",
      `TEMPORAL_ADDRESS=127.0.0.1:${temporalPort}`,
    ],
  },
  {
    what: "HOST of another machine",
    env: { HOST: "192.0.2.1" },
    says: ["HOST 192.0.2.1", "not an address of this machine", "0.0.0.0"],
  },
  {
    what: "HOST that cannot be resolved",
    env: { HOST: "no.such.host.invalid" },
    says: ["HOST no.such.host.invalid", "cannot be resolved", "0.0.0.0"],
  },
  {
    what: "TEMPORAL_PORT that Kubernetes set for a service",
    env: { TEMPORAL_PORT: "tcp://10.0.0.1:7233" },
    says: ["TEMPORAL_PORT", "Kubernetes", "enableServiceLinks"],
  },
  {
    what: "TEMPORAL_CLI_PATH of another program",
    env: { TEMPORAL_CLI_PATH: process.execPath, TEMPORAL_ADDRESS: "", ...anyPorts() },
    says: [`TEMPORAL_CLI_PATH ${process.execPath}`, "Temporal's CLI", "unset it"],
  },
  {
    what: "SECRET_KEY that is too short",
    env: { SECRET_KEY: "short" },
    says: ["SECRET_KEY", "at least 32 characters", "openssl rand"],
  },
  {
    what: "a worker without settings",
    entry: "activities/start",
    env: { API_URL: "", WORKER_TOKEN: "" },
    says: ["WORKER_TOKEN must be set"],
  },
  {
    what: "a worker with the secret key of the instance",
    entry: "activities/start",
    env: { API_URL: "http://127.0.0.1:1", SECRET_KEY: KEY },
    says: ["must not have the SECRET_KEY", "worker/create", "WORKER_TOKEN"],
  },
  {
    what: "a worker with a token that is none",
    entry: "activities/start",
    env: { ...WORKER, WORKER_TOKEN: KEY },
    says: ["WORKER_TOKEN", "worker/create", "arw_"],
  },
  {
    what: "an ADMIN_PASSWORD that is easy to guess",
    env: { DATA_DIR: inPlace("weak"), ADMIN_PASSWORD: "hunter2" },
    says: [
      "ADMIN_PASSWORD",
      "too easy to guess",
      "12 or more characters",
      "leave it out",
    ],
  },
  {
    what: "TLS_CERT_PATH without TLS_KEY_PATH",
    env: { TLS_CERT_PATH: own.certFile },
    says: ["TLS_CERT_PATH and TLS_KEY_PATH must be set together"],
  },
  {
    what: "TLS_CERT_PATH that is not there",
    env: tls(inPlace("nowhere.pem"), own.keyFile),
    says: [`TLS_CERT_PATH ${place}/nowhere.pem`, "cannot be read (ENOENT)", "name a PEM"],
  },
  {
    what: "TLS_KEY_PATH that is a folder",
    env: tls(own.certFile, OPEN),
    says: [`TLS_KEY_PATH ${OPEN}`, "is not a file", "name a PEM file"],
  },
  {
    what: "a certificate that is not PEM",
    env: tls(FILE, own.keyFile),
    says: [`TLS_CERT_PATH ${FILE}`, "no certificate in PEM", "BEGIN CERTIFICATE"],
  },
  {
    what: "a key that is a certificate",
    env: tls(own.certFile, own.certFile),
    says: [`TLS_KEY_PATH ${own.certFile}`, "no private key in PEM", "BEGIN PRIVATE KEY"],
  },
  {
    what: "a key with a passphrase",
    env: tls(own.certFile, PROTECTED),
    says: [`TLS_KEY_PATH ${PROTECTED}`, "passphrase", "openssl pkey -in"],
  },
  {
    what: "the key of another certificate",
    env: tls(own.certFile, other.keyFile),
    says: [`TLS_KEY_PATH ${other.keyFile} does not fit`, own.certFile, "for each other"],
  },
  {
    what: "a chain that begins with the CA",
    env: tls(CHAIN, own.keyFile),
    says: [`TLS_CERT_PATH ${CHAIN}`, "begins with another certificate", "server's first"],
  },
  {
    what: "a worker of another machine that is not to verify the certificate",
    entry: "activities/start",
    env: { ...WORKER, API_BESIDE: "true" },
    says: ["API_BESIDE", "remove it", "NODE_EXTRA_CA_CERTS"],
  },
  {
    what: "an API_URL of another machine without TLS",
    entry: "activities/start",
    env: { ...WORKER, API_URL: "http://192.0.2.1:8080" },
    says: ["API_URL http://192.0.2.1:8080", "without TLS", "ALLOW_HTTP_API_URL=true"],
  },
  {
    what: "a worker with a wrong address",
    entry: "activities/start",
    env: { ...WORKER, API_URL: "nowhere" },
    says: ["API_URL must be a URL such as https://host:port/path"],
  },
];

function anyPorts() {
  return { TEMPORAL_PORT: "0", TEMPORAL_UI_PORT: "0" };
}

describe("a mistake at the start", () => {
  test.for(MISTAKES)(
    "a start with $what ends with one sentence that says what to do",
    async ({ env, says, by, entry = "main" }, { skip }) => {
      if (by && !canStart(by)) skip(`${by.name} cannot be had on this machine`);
      const { code, output, left } = await startWrongly(
        entry,
        { ...FINE, ...env },
        by?.command,
      );
      const last = output.trimEnd().split("\n").at(-1) ?? "";
      for (const said of says) expect(last).toContain(said);
      expect(output).not.toMatch(/^\s+at /m);
      expect([code, left]).toEqual([1, []]);
    },
  );
});

describe("a start before npm ci", () => {
  let tree: string;
  beforeAll(() => {
    tree = inPlace("tree");
    mkdirSync(tree);
    for (const name of ["build.js", "installed.js", "package.json"])
      cpSync(join(ROOT, name), join(tree, name));
  });

  test.each(["start", "test", "demo", "worker", "bench"])(
    "npm run %s says to run npm ci first",
    (script) => {
      const run = () =>
        execFileSync("npm", ["run", "--silent", script], {
          cwd: tree,
          encoding: "utf8",
          stdio: "pipe",
        });
      expect(run).toThrow(
        `The packages are not installed: run npm ci in ${tree} first\n`,
      );
    },
  );

  test("a package that is missing after an update is named", () => {
    const { dependencies } = JSON.parse(
      readFileSync(join(tree, "package.json"), "utf8"),
    ) as { dependencies: Record<string, string> };
    for (const name of Object.keys(dependencies).filter((name) => name !== "zod")) {
      mkdirSync(join(tree, "node_modules", name), { recursive: true });
      writeFileSync(join(tree, "node_modules", name, "package.json"), "{}");
    }
    const build = () =>
      execFileSync(process.execPath, ["build.js"], { cwd: tree, stdio: "pipe" });
    expect(build).toThrow(`Packages are missing (zod): run npm ci in ${tree} again`);
  });
});
