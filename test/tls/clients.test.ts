import { execFile, execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Agent, setGlobalDispatcher } from "undici";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { random, sha256 } from "../rigs/api/content-fixture.ts";
import { LOGIN, startImages, type Images } from "../rigs/api/oci-server-fixture.ts";
import { createFiller } from "../rigs/api/packages-fixture.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { createCa, readIssued } from "../rigs/servers/certificates.ts";
import { makeImage } from "../rigs/servers/images.ts";
import { mvnClient } from "../rigs/servers/mvn.ts";
import { npmClient } from "../rigs/servers/npm-client.ts";
import { CRANE, HELM, REGCTL, SKOPEO } from "../rigs/servers/oci-tools.ts";
import { findTool } from "../rigs/servers/tools.ts";

const run = promisify(execFile);
const ca = createCa();
setGlobalDispatcher(new Agent({ connect: { ca: ca.pem } }));
const login = `${ADMIN.username}:${ADMIN.password}`;
const image = makeImage({ layers: [300_000] });

let api: Images;
let home: string;
/** Runs a client that trusts the CA in the way of docs/tls.md, and is told of no exception. */
async function client(command: string, ...args: string[]): Promise<string> {
  expect(args.join(" ")).not.toMatch(/insecure|plain-http|verify|tls=disabled/);
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    DOCKER_CONFIG: home,
    REGCTL_CONFIG: join(home, "regctl.json"),
    HELM_REGISTRY_CONFIG: join(home, "config.json"),
    SSL_CERT_FILE: ca.certFile,
  };
  return (await run(command, args, { cwd: home, env })).stdout.trim();
}
/** Pushes an image by plain requests and returns its name at the registry and where a copy may go. */
async function pushed(): Promise<{ from: string; to: string }> {
  const [name, copy] = [unique("from-"), unique("to-")];
  const fill = createFiller({ url: api.url, authorization: LOGIN });
  await fill.push("team/images", name, "1", image);
  const at = (each: string) => `${api.host}/team/images/${each}:1`;
  return { from: at(name), to: at(copy) };
}
async function digestOf(reference: string): Promise<string | null> {
  const [repository = "", tag] = reference.slice(api.host.length + 1).split(":");
  const answer = await fetch(`${api.url}/v2/${repository}/manifests/${tag}`, {
    headers: { authorization: LOGIN, accept: image.mediaType },
  });
  return answer.headers.get("docker-content-digest");
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "tls-clients-"));
  api = await startImages({}, undefined, { tls: readIssued(ca.issue("api")) });
  const auth = Buffer.from(login).toString("base64");
  writeFileSync(
    join(home, "config.json"),
    JSON.stringify({ auths: { [api.host]: { auth } } }),
  );
  for (const type of ["NPM", "MAVEN"])
    await api.call("POST", "/repository/api/repo/create", {
      body: { projectId: "team", name: type.toLowerCase(), type },
    });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await api.close();
  rmSync(home, { recursive: true, force: true });
  ca.remove();
});

test("curl uploads and downloads with the CA, and refuses without it", async () => {
  const url = `${api.url}/generic/team/files/${unique("file-")}`;
  const file = join(home, "file");
  writeFileSync(file, random(1_000_000));
  const authorized = ["-sSf", "-u", login];
  await client("curl", ...authorized, "--cacert", ca.certFile, "-T", file, url);
  await client("curl", ...authorized, "--cacert", ca.certFile, "-o", `${file}.copy`, url);
  expect(readFileSync(`${file}.copy`)).toEqual(readFileSync(file));
  const bare = run("curl", [...authorized, url]);
  await expect(bare).rejects.toThrow(/certificate/);
});

test("skopeo copies from and to hosted images", async ({ skip }) => {
  const skopeo = (await findTool(SKOPEO)) ?? skip("skopeo is not available");
  const certificates = join(home, "certs.d");
  mkdirSync(certificates);
  copyFileSync(ca.certFile, join(certificates, "ca.crt"));
  const { from, to } = await pushed();
  const ends = ["src", "dest"];
  const options = [
    ...ends.flatMap((end) => [`--${end}-cert-dir`, certificates]),
    ...ends.flatMap((end) => [`--${end}-creds`, login]),
    "--preserve-digests",
  ];
  await client(skopeo, "copy", ...options, `docker://${from}`, `docker://${to}`);
  expect(await digestOf(to)).toBe(image.digest);
});

test("crane copies from and to hosted images", async ({ skip }) => {
  const crane = (await findTool(CRANE)) ?? skip("crane is not available");
  const { from, to } = await pushed();
  await client(crane, "copy", from, to);
  expect(await client(crane, "digest", to)).toBe(image.digest);
});

test("regctl copies from and to hosted images with the CA in its configuration", async ({
  skip,
}) => {
  const regctl = (await findTool(REGCTL)) ?? skip("regctl is not available");
  const { from, to } = await pushed();
  const settings = ["--cacert", ca.pem, "--skip-check", api.host];
  await client(regctl, "registry", "set", ...settings);
  const { username, password } = ADMIN;
  const account = ["-u", username, "-p", password, "--skip-check", api.host];
  await client(regctl, "registry", "login", ...account);
  await client(regctl, "image", "copy", from, to);
  expect(await digestOf(to)).toBe(image.digest);
});

test("helm pushes a chart", async ({ skip }) => {
  const helm = (await findTool(HELM)) ?? skip("helm is not available");
  mkdirSync(join(home, "chart"));
  const chart = "apiVersion: v2\nname: demo\nversion: 1.2.0\n";
  writeFileSync(join(home, "chart", "Chart.yaml"), chart);
  await client(helm, "package", "chart");
  const place = `oci://${api.host}/team/images/charts`;
  await client(helm, "push", "demo-1.2.0.tgz", place, "--ca-file", ca.certFile);
  expect(await api.tags("team/images/charts/demo")).toEqual(["1.2.0"]);
});

test("npm publishes and installs with cafile, and tarballs are named with https", async () => {
  const npm = npmClient(`${api.url}/npm/team/npm`, ADMIN);
  appendFileSync(join(npm.home, ".npmrc"), `cafile=${ca.certFile}\n`);
  const name = unique("demo-");
  const own = npm.folder("own", { name, version: "1.0.0" }, { "index.js": "1;\n" });
  await npm.run(own, "publish");
  const user = npm.folder("user", { name: "user", version: "1.0.0", private: true });
  await npm.run(user, "install", name);
  const lock = readFileSync(join(npm.home, "user", "package-lock.json"), "utf8");
  expect(lock).toContain(`"resolved": "${api.url}/npm/`);
  rmSync(npm.home, { recursive: true, force: true });
});

test("mvn deploys and resolves with the CA in a trust store", async ({ skip }) => {
  const store = join(home, "trust.p12");
  try {
    const importing = ["-importcert", "-noprompt", "-alias", "replication", "-file"];
    const into = ["-keystore", store, "-storepass", "changeit"];
    execFileSync("keytool", [...importing, ca.certFile, ...into], { stdio: "ignore" });
  } catch {
    skip("keytool is not available");
  }
  const trust = "-Djavax.net.ssl.trustStore";
  const [url, group] = [`${api.url}/maven/team/maven`, "org.example.judged.tls"];
  // Maven's plugins may come from elsewhere, which this CA does not vouch for.
  const mvn = (await mvnClient({ url, ...ADMIN, group })) ?? skip("mvn is not available");
  vi.stubEnv("MAVEN_OPTS", `${trust}=${store} ${trust}Password=changeit`);
  const bytes = random(100_000);
  await mvn.deploy({ artifactId: "app", version: "1.0", file: mvn.file("a.jar", bytes) });
  const folder = await mvn.resolve("app:1.0");
  const resolved = readFileSync(join(folder, "app", "1.0", "app-1.0.jar"));
  expect(sha256(resolved)).toBe(sha256(bytes));
  mvn.close();
});
