import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { SKOPEO } from "../rigs/servers/oci-tools.ts";
import { freePort, startServer } from "../rigs/servers/process.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";
import { findTool, type Tool } from "../rigs/servers/tools.ts";

const run = promisify(execFile);

/**
 * A build of rclone's code with only its WebDAV backend: Debian's version cannot turn off the wait of
 * 10 ms before each request.
 */
const RCLONE: Tool = {
  name: "rclone-webdav",
  version: "v1.75.1",
  go: { folder: join(import.meta.dirname, "rclone") },
  cost: "19 MB, up to 2 minutes",
};

const NGINX: Tool = {
  name: "nginx",
  version: "1",
  onPath: { command: "nginx", versionArgs: ["-v"], matches: /^/ },
  apt: { packages: ["nginx", "libnginx-mod-http-dav-ext"], command: "nginx" },
  cost: "3 MB, some seconds",
};

/** Returns a function that copies all tags of one name with skopeo; null when skopeo is not available. */
export async function skopeoSync(): Promise<
  ((from: TestRegistry, to: TestRegistry, name: string) => Promise<unknown>) | null
> {
  const skopeo = await findTool(SKOPEO);
  if (skopeo === null) return null;
  const plain = [
    "--src-tls-verify=false",
    "--dest-tls-verify=false",
    "--src",
    "docker",
    "--dest",
    "docker",
  ];
  return (from, to, name) =>
    run(
      skopeo,
      ["sync", ...plain, `${from.host}/${name}`, `${to.host}/${dirname(name)}`],
      { maxBuffer: 2 ** 26 },
    );
}

/**
 * Starts nginx with WebDAV, and returns functions that copy a folder into it with rclone (pacer off); null when one of
 * them is not available.
 */
export async function startWebDav() {
  const [nginx, rclone] = [await findTool(NGINX), await findTool(RCLONE)];
  if (nginx === null || rclone === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "webdav-"));
  for (const name of ["data", "temp"]) mkdirSync(join(folder, name));
  const url = `http://127.0.0.1:${await freePort()}`;
  const config = join(folder, "nginx.conf");
  writeFileSync(config, configuration(folder, new URL(url).host));
  const ready = async () => (await fetch(url, { method: "OPTIONS" })).status < 500;
  const server = await startServer({
    command: nginx,
    args: ["-p", folder, "-c", config, "-e", "stderr"],
    log: join(folder, "log.txt"),
    ready,
  });
  const remote = [
    "--webdav-url",
    url,
    "--webdav-vendor",
    "other",
    "--webdav-pacer-min-sleep",
    "0",
    "--config",
    "/dev/null",
  ];
  return {
    copy: (source: string, target: string, options: string[]) =>
      run(rclone, ["copy", ...options, ...remote, source, `:webdav:${target}`], {
        maxBuffer: 2 ** 26,
      }),
    forget: (target: string) =>
      rmSync(join(folder, "data", target), { recursive: true, force: true }),
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, listen: string): string {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `  ${name}_temp_path ${folder}/temp;`,
  );
  return `${[
    `daemon off; worker_processes 2; pid nginx.pid;${process.getuid?.() === 0 ? " user root;" : ""}`,
    "load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;",
    "events { worker_connections 512; }",
    "http {",
    "  access_log off; client_max_body_size 0; keepalive_requests 1000000;",
    ...temp,
    `  server { listen ${listen}; root ${folder}/data;`,
    "    location / { dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS;",
    "      create_full_put_path on; } }",
    "}",
  ].join("\n")}\n`;
}
