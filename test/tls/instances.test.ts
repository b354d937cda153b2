import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent, setGlobalDispatcher } from "undici";
import { createFiller } from "../rigs/api/packages-fixture.ts";
import { sendRaw } from "../rigs/api/socket-fixture.ts";
import { authorizationOf, startInstance, type Instance } from "../rigs/runs/instance.ts";
import { createMachine, makeToken } from "../rigs/runs/remote-worker.ts";
import {
  closed,
  createCleanup,
  openProduct,
  sha256,
  unique,
  UTC,
} from "../rigs/runs/run-fixture.ts";
import { createCa, type IssuedPair, readIssued } from "../rigs/servers/certificates.ts";
import { makeImage, readManifest } from "../rigs/servers/images.ts";

const ca = createCa();
/** The first instance has a name of its own, which its workers do not use; the second the address that others use. */
const named = ca.issue("named", { names: "DNS:center.example" });
const addressed = ca.issue("addressed");
// This file trusts the CA as clients do; it reaches the first instance by another name.
const connecting = { ca: ca.pem, checkServerIdentity: () => undefined };
setGlobalDispatcher(new Agent({ connect: connecting }));

const folder = join(ca.folder, "in-use");
const inUse = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key") };
let version = 0;
/** Swaps both files at once, as Kubernetes does: they are links into a folder that is itself a link. */
function swap({ cert, key }: { cert: string; key: string }): void {
  const next = `..${(version += 1)}`;
  mkdirSync(join(folder, next), { recursive: true });
  writeFileSync(join(folder, next, "tls.crt"), cert);
  writeFileSync(join(folder, next, "tls.key"), key);
  symlinkSync(next, join(folder, "..next"));
  renameSync(join(folder, "..next"), join(folder, "..data"));
  if (version > 1) return;
  for (const name of ["tls.crt", "tls.key"])
    symlinkSync(join("..data", name), join(folder, name));
}
/** Replaces one file after the other, as certbot does. */
function replace({ cert, key }: { cert: string; key: string }): void {
  for (const [file, text] of [
    [inUse.certFile, cert],
    [inUse.keyFile, key],
  ] as const) {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}

const cleanup = createCleanup();
const machine = createMachine();
let center: Instance;
let edge: Instance;
let product: ReturnType<typeof openProduct>;
let cluster: string;
const projectId = unique("p");

beforeAll(async () => {
  swap(readIssued(named));
  const start = ({ certFile, keyFile }: IssuedPair, env: Record<string, string>) =>
    cleanup.keep(
      startInstance({
        env: {
          ...UTC,
          TRANSFER_WORKERS: "1",
          TLS_CERT_PATH: certFile,
          TLS_KEY_PATH: keyFile,
          ...env,
        },
      }),
      (each) => each.remove(),
    );
  [center, edge] = await Promise.all([
    start(inUse, {}),
    start(addressed, { LOCAL_CLUSTER_NAME: "edge" }),
  ]);
  product = openProduct(center);
  await product.project(projectId);
  cluster = await product.partner("edge", edge, edge.url, { certificate: ca.pem });
});
afterAll(async () => {
  await machine.stop();
  await cleanup.all();
  machine.remove();
  ca.remove();
});

/** Returns the serial number of the certificate with which an instance answers now. */
async function serialOf({ url }: Instance): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), ...connecting });
  await once(socket, "secureConnect");
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

type Told = { alert: string; message: string };
const told = async (alert: string): Promise<string> =>
  (await product.call<Told[]>("GET", "/replication/api/system/problems")).find(
    (each) => each.alert === alert,
  )?.message ?? "";

test("all addresses that an instance states begin with https, and a request without TLS is told so", async () => {
  const { api, docs } = center.endpoints();
  expect([api, docs]).toEqual([center.url, `${center.url}/docs`]);
  expect(center.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(center.output()).toContain(`API          ${center.url}\n`);
  const { status, body } = await sendRaw(
    Number(new URL(center.url).port),
    "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  expect(status).toBe(400);
  expect(body).toContain("this port speaks HTTPS only");
});

test("files and images go from an instance to another over TLS, read by workers of the instance", async () => {
  await product.hosted(projectId, "files");
  await product.hosted(projectId, "images", "OCI");
  await product.upload(projectId, "files", "/a/b", Buffer.from("over TLS"));
  const fill = createFiller({ url: center.url, authorization: authorizationOf(center) });
  const image = makeImage({ layers: [100_000] });
  await fill.push(`${projectId}/images`, "app", "1", image);
  const key = await product.run({
    projectId,
    objects: [
      { localRepoName: "files", repoType: "GENERIC" },
      { localRepoName: "images", repoType: "OCI" },
    ],
    clusters: [cluster],
  });
  const record = await closed(product, key);
  expect([record.status, record.errorReason]).toEqual(["SUCCESS", null]);
  const arrived = await openProduct(edge).download(projectId, "files", "/a/b");
  expect(arrived?.toString()).toBe("over TLS");
  const options = { authorization: authorizationOf(edge) };
  const there = await readManifest(edge.url, `${projectId}/images/app`, "1", options);
  expect(there?.digest).toBe(image.digest);
});

describe("a worker on another machine", () => {
  test("takes work from a control plane whose certificate it trusts by NODE_EXTRA_CA_CERTS", async () => {
    const worker = machine.startWorker(edge.url, await makeToken(edge), {
      NODE_EXTRA_CA_CERTS: ca.certFile,
    });
    await expect.poll(worker.output).toContain("Ready: takes work");
  });

  test.each([
    ["an unknown CA", () => edge, {}, "NODE_EXTRA_CA_CERTS to the PEM file"],
    [
      "another name",
      () => center,
      { NODE_EXTRA_CA_CERTS: ca.certFile },
      "use the host name that it states",
    ],
  ])("does not talk to one whose certificate has %s", async (_, whom, env, says) => {
    const worker = machine.startWorker(whom().url, await makeToken(whom()), env);
    await expect.poll(worker.output).toContain(says);
    expect(worker.output()).not.toContain("Ready");
  });

  test("is told of TLS when its API_URL begins with http", async () => {
    const url = edge.url.replace("https:", "http:");
    const worker = machine.startWorker(url, await makeToken(edge));
    await expect.poll(worker.output).toContain("expects TLS: write https://");
  });
});

test("a certificate that is replaced is used without a restart, and a download that is under way goes on", async () => {
  const content = Buffer.alloc(48 * 2 ** 20, unique("content"));
  await product.hosted(projectId, "large");
  await product.upload(projectId, "large", "/file", content);
  const before = await serialOf(center);
  const asked = request(`${center.url}/generic/${projectId}/large/file`, {
    ...connecting,
    headers: { authorization: authorizationOf(center) },
    agent: false,
  }).end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.pause();

  swap(readIssued(ca.issue("second", { names: "DNS:center.example" })));
  await expect.poll(() => serialOf(center)).not.toBe(before);
  const second = await serialOf(center);
  replace(readIssued(ca.issue("ending", { names: "DNS:center.example", days: 5 })));
  await expect.poll(() => serialOf(center)).not.toBe(second);
  await expect.poll(() => told("CertificateEnds")).toMatch(/ends in 4 d 23 h/);

  const hash = createHash("sha256");
  for await (const chunk of answer) hash.update(chunk as Buffer);
  expect(hash.digest("hex")).toBe(sha256(content));
});

test("files that cannot be used leave the certificate as it is and are a problem until they are right", async () => {
  const before = await serialOf(center);
  const right = readIssued(ca.issue("third", { names: "DNS:center.example" }));
  const { key } = readIssued(addressed);
  replace({ cert: right.cert, key });
  await expect.poll(() => told("CertificateUnusable")).toMatch(/does not fit the cert/);
  expect(await serialOf(center)).toBe(before);
  replace({ cert: "none", key });
  await expect.poll(() => told("CertificateUnusable")).toMatch(/no certificate in PEM/);
  expect(await serialOf(center)).toBe(before);
  replace(right);
  await expect.poll(() => told("CertificateUnusable")).toBe("");
  expect(await serialOf(center)).not.toBe(before);
  expect(center.output().match(/cannot be used, those before stay/g)).toHaveLength(2);
});
