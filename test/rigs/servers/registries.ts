import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DISTRIBUTION, DOCKER_REGISTRY, GCR_REGISTRY } from "./oci-tools.ts";
import { freePort, startServer, type RunningServer } from "./process.ts";
import { startTokenServer, type TokenServer } from "./token-server.ts";
import { findTool } from "./tools.ts";

export type RegistryKind = "docker-registry" | "distribution" | "gcr";

export type TestRegistry = RunningServer & {
  kind: RegistryKind;
  /** False if the registry's program is not available: skip the tests that need it. */
  available: boolean;
  url: string;
  host: string;
  /** The folder of blobs and manifests on disk. */
  data: string;
  tokens: TokenServer | null;
  /** What an end must accept so that its password goes to the token server. */
  realms: string[] | null;
};

/** The bcrypt hash of the tests' USER, so that no htpasswd program is needed. */
const HTPASSWD = "alice:$2y$05$L/lybmfTc1ofSwqtTrcV6.oRWnhY1zY5CEfyzmzhWbkAH7t3bEGFG";

type Options = { auth?: "none" | "htpasswd" | "token" };

/**
 * Starts a registry with its own data. The registry of go-containerregistry has no login, and keeps
 * manifests only in memory.
 */
export async function startRegistry(
  kind: RegistryKind,
  { auth = "none" }: Options = {},
): Promise<TestRegistry> {
  const tool = {
    "docker-registry": DOCKER_REGISTRY,
    distribution: DISTRIBUTION,
    gcr: GCR_REGISTRY,
  }[kind];
  const command = await findTool(tool);
  if (command === null) return unavailable(kind);
  const folder = mkdtempSync(join(tmpdir(), `${kind}-`));
  const data = join(folder, "data");
  mkdirSync(data);
  const host = `127.0.0.1:${await freePort()}`;
  const url = `http://${host}`;
  const tokens = auth === "token" ? await startTokenServer(folder) : null;
  const args =
    kind === "gcr" ? [host, data] : ["serve", writeConfig(folder, host, auth, tokens)];
  const ready = async () => [200, 401].includes((await fetch(`${url}/v2/`)).status);
  const server = await startServer({
    command,
    args,
    log: join(folder, "log"),
    env: { OTEL_TRACES_EXPORTER: "none" },
    ready,
  });
  const clean = async () => {
    await tokens?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    ...server,
    kind,
    available: true,
    url,
    host,
    data,
    tokens,
    realms: tokens === null ? null : [tokens.realm],
    stop: () => server.kill().then(clean),
  };
}

const nothing = async (): Promise<void> => undefined;

function unavailable(kind: RegistryKind): TestRegistry {
  return {
    kind,
    available: false,
    url: "http://127.0.0.1:9",
    host: "127.0.0.1:9",
    data: "",
    tokens: null,
    realms: null,
    stop: nothing,
    kill: nothing,
    restart: nothing,
  };
}

function writeConfig(
  folder: string,
  host: string,
  auth: Options["auth"],
  tokens: TokenServer | null,
): string {
  const path = join(folder, "config.yml");
  writeFileSync(join(folder, "htpasswd"), `${HTPASSWD}\n`);
  const login = {
    none: "",
    htpasswd: `auth: {htpasswd: {realm: test, path: ${join(folder, "htpasswd")}}}`,
    token:
      `auth: {token: {realm: "${tokens?.realm}", service: test, issuer: test, ` +
      `rootcertbundle: ${tokens?.certificate}}}`,
  }[auth ?? "none"];
  // Without a fixed secret, docker-registry 2 loses every upload at a restart.
  const lines = [
    "version: 0.1",
    "log: {level: error, accesslog: {disabled: true}}",
    `storage: {filesystem: {rootdirectory: ${join(folder, "data")}}, delete: {enabled: true}}`,
    `http: {addr: "${host}", secret: fixed-for-tests}`,
    // Foreign layers are refused unless their URLs are allowed.
    `validation: {manifests: {urls: {allow: ["^https://"]}}}`,
    login,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}
