import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { USER } from "./credentials.ts";
import { freePort, startServer, type RunningServer } from "./process.ts";
import { findTool, type Tool } from "./tools.ts";

const VERDACCIO: Tool = {
  name: "verdaccio",
  version: "6.8.0",
  npm: { folder: join(import.meta.dirname, "verdaccio"), command: "verdaccio" },
  cost: "58 MB, up to a minute",
};

export type Verdaccio = RunningServer & {
  /** False if verdaccio is not available: skip the tests that need it. */
  available: boolean;
  url: string;
  /** A Bearer token of one of the users, as `npm login` receives it. */
  token: (user?: { username: string; password: string }) => Promise<string>;
};

type Options = {
  users?: readonly { username: string; password: string }[];
  /** Permissions by pattern of package names; the first pattern that matches decides. */
  packages?: Record<string, { access: string; publish: string; unpublish: string }>;
  /** Largest request body, such as "10mb"; verdaccio answers 413 beyond it. */
  maxBodySize?: string;
};

/** Permissions by default: logged-in users may do everything, and nobody else anything. */
const MEMBERS_ONLY = {
  "**": {
    access: "$authenticated",
    publish: "$authenticated",
    unpublish: "$authenticated",
  },
};

/** Starts verdaccio, an npm registry, with its own data and no upstream registry. */
export async function startVerdaccio({
  users = [USER],
  packages = MEMBERS_ONLY,
  maxBodySize = "50mb",
}: Options = {}): Promise<Verdaccio> {
  const command = await findTool(VERDACCIO);
  if (command === null) return unavailable;
  const folder = mkdtempSync(join(tmpdir(), "verdaccio-"));
  const listen = `127.0.0.1:${await freePort()}`;
  const url = `http://${listen}`;
  const config = join(folder, "config.yaml");
  writeFileSync(
    join(folder, "htpasswd"),
    users.map(({ username, password }) => `${username}:{PLAIN}${password}\n`).join(""),
  );
  // JSON is valid YAML.
  const settings = {
    storage: join(folder, "storage"),
    auth: { htpasswd: { file: join(folder, "htpasswd"), max_users: -1 } },
    uplinks: {},
    packages,
    max_body_size: maxBodySize,
    web: { enable: false },
    // The default limit against password guessing would slow down tests that log in often.
    userRateLimit: { windowMs: 1_000, max: 1_000 },
    log: { type: "stdout", format: "json", level: "warn" },
  };
  writeFileSync(config, JSON.stringify(settings));
  const ready = async () => (await fetch(`${url}/-/ping`)).ok;
  const server = await startServer({
    command,
    args: ["--config", config, "--listen", listen],
    log: join(folder, "log"),
    ready,
  });
  const clean = () => rmSync(folder, { recursive: true, force: true });
  const token = ({ username, password } = users[0] ?? USER) =>
    logIn(url, username, password);
  return {
    ...server,
    available: true,
    url,
    token,
    stop: () => server.kill().then(clean),
  };
}

async function logIn(url: string, name: string, password: string): Promise<string> {
  const answer = await fetch(
    `${url}/-/user/org.couchdb.user:${encodeURIComponent(name)}`,
    {
      method: "PUT",
      headers: {
        "content-type": "application/json",
        authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
      },
      body: JSON.stringify({ name, password }),
    },
  );
  const { token } = (await answer.json()) as { token?: unknown };
  if (typeof token !== "string")
    throw new Error(
      `verdaccio returned no token for ${name}: it answered ${answer.status}`,
    );
  return token;
}

const nothing = async (): Promise<void> => undefined;
const unavailable: Verdaccio = {
  available: false,
  url: "http://127.0.0.1:9",
  token: async () => "",
  stop: nothing,
  kill: nothing,
  restart: nothing,
};
