import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { accessOf } from "../../api/clusters/actions.ts";
import type { ClusterAccess } from "../../api/deps.ts";
import { findClusterByName, listClusters } from "../../db/tasks/clusters.ts";
import { type TestApi } from "../rigs/api/api-fixture.ts";
import { CLUSTER, createCheckedApi, HUB } from "../rigs/api/checked-clusters.ts";

let api: TestApi;
let tried: ClusterAccess[];
let check: { problem: string | null };
beforeEach(() => {
  ({ api, tried, check } = createCheckedApi());
});
afterEach(() => api.close());

const create = (changes: Record<string, unknown> = {}) =>
  api.call("POST", `${CLUSTER}/create`, { body: { ...HUB, ...changes } });
const update = (changes: Record<string, unknown> = {}) =>
  api.call("POST", `${CLUSTER}/update`, {
    body: { name: "hub", url: HUB.url, ...changes },
  });
const get = async (path: string) => (await api.call("GET", `${CLUSTER}/${path}`)).data;
const row = (name = "hub") =>
  findClusterByName(api.db, name) ?? expect.fail(`no cluster ${name}`);
const secretsOf = (name?: string) => {
  const { username, password, token } = accessOf(api.deps.sealer, row(name));
  return { username, password, token };
};

describe("attaching a cluster", () => {
  test("attaching a cluster stores its secrets sealed, and no answer or log shows them", async () => {
    expect(
      await create({
        token: "t0ken",
        secretKey: "k3y",
        accessKey: "ak",
        appId: "app",
        udpPort: 99,
        certificate: "PEM",
      }),
    ).toMatchObject({ status: 200, data: null });
    expect(tried).toEqual([
      {
        type: "REMOTE",
        url: HUB.url,
        protocol: null,
        username: "u",
        password: "s3cret",
        token: "t0ken",
        acceptedRealms: null,
        certificate: "PEM",
        insecureSkipVerify: false,
      },
    ]);
    const info = await get("info?name=hub");
    expect(info).toMatchObject({
      name: "hub",
      type: "REMOTE",
      status: "HEALTHY",
      errorReason: null,
      username: "u",
      accessKey: "ak",
      appId: "app",
      udpPort: 99,
      detectType: "PING",
      extension: null,
      createdBy: "admin",
    });
    const everything = [
      JSON.stringify(info),
      JSON.stringify(await get("list")),
      JSON.stringify(row()),
      JSON.stringify(api.logs),
    ].join();
    expect(everything).not.toMatch(/s3cret|t0ken|k3y/);
    expect(Object.keys(info as object)).not.toContain("password");
    expect(secretsOf()).toEqual({ username: "u", password: "s3cret", token: "t0ken" });
  });

  test("attaching a cluster tests the connection, unless ping is false or detectType is REPORT", async () => {
    check.problem = "it is down";
    expect((await create({ ping: false })).code).toBe(0);
    expect((await create({ name: "reports", detectType: "REPORT" })).code).toBe(0);
    expect(tried).toEqual([]);
    expect(await create({ name: "down" })).toMatchObject({
      code: 250301,
      message: "remote cluster [down] connect error: it is down",
    });
    expect(await get("exist?name=down")).toBe(false);
  });

  test.each<[string, Record<string, unknown>, number, RegExp]>([
    ["no name", { name: undefined }, 250106, /: name is missing$/],
    ["a blank name", { name: " " }, 250104, /\[name\]/],
    ["a short name", { name: "h" }, 250105, /\[name\]/],
    ["a long name", { name: "h".repeat(257) }, 250105, /\[name\]/],
    ["no url", { url: null }, 250106, /: url is missing$/],
    ["a blank url", { url: "" }, 250104, /\[url\]/],
    ["no type", { type: undefined }, 250106, /: type is missing$/],
    ["an unknown type", { type: "MOON" }, 250106, /type/],
    ["an ftp url", { url: "ftp://r.example" }, 250105, /http/],
    [
      "credentials in the url",
      { url: "https://u:p@r.example" },
      250105,
      /username and password/,
    ],
    ["a query in the url", { url: "https://r.example/?a=b" }, 250105, /without \?/],
    ["an unknown protocol", { protocol: "GOPHER" }, 250106, /protocol/],
    [
      "type EDGE and a protocol",
      { type: "EDGE", protocol: "NPM" },
      250105,
      /\[protocol\].*only a REMOTE cluster/,
    ],
    [
      "type EDGE and the url of a bucket",
      { type: "EDGE", url: "s3://bucket" },
      250105,
      /\[url\].*only http and https/,
    ],
    [
      "the url of a bucket and the protocol WEBDAV",
      { url: "s3://bucket", protocol: "WEBDAV" },
      250105,
      /\[url\].*S3, not WEBDAV/,
    ],
    [
      "the url of a folder without three slashes",
      { url: "file://srv/carry" },
      250105,
      /\[url\].*three slashes/,
    ],
    ["a url without a host", { url: "https://" }, 250105, /\[url\]/],
    [
      "a metadata address",
      { url: "http://169.254.169.254/latest" },
      250105,
      /ALLOWED_ADDRESSES/,
    ],
    [
      "a metadata address as a hexadecimal number",
      { url: "http://0xa9fea9fe" },
      250105,
      /169\.254\.169\.254/,
    ],
    ["a link-local address", { url: "http://[fe80::1]:5000" }, 250105, /link-local/],
    ["the name of the local instance", { name: "center" }, 250305, /\[center\]/],
    ["an invalid UDP port", { udpPort: 70_000 }, 250106, /udpPort/],
  ])("attaching a cluster with %s is refused", async (_case, changes, code, message) => {
    const answer = await create(changes);
    expect([answer.status, answer.code, answer.message]).toEqual([
      400,
      code,
      expect.stringMatching(message),
    ]);
    expect(listClusters(api.db)).toEqual([]);
  });

  test("attaching a cluster is refused if its name is taken or if it is a second CENTER", async () => {
    await create();
    expect((await create({ url: "https://other.example" })).code).toBe(250305);
    expect((await create({ name: "main", type: "CENTER" })).code).toBe(0);
    expect(await create({ name: "main2", type: "CENTER" })).toMatchObject({
      code: 250309,
      message: "a center node already exists [main]",
    });
  });

  test("attaching a cluster twice at the same moment creates it once", async () => {
    const codes = (await Promise.all([create(), create()])).map(({ code }) => code);
    expect(codes.toSorted()).toEqual([0, 250305]);
  });

  test.each([
    ["r.example/ns/", "https://r.example/ns"],
    ["localhost:5000", "http://localhost:5000"],
    ["127.0.0.1:5000/a", "http://127.0.0.1:5000/a"],
    [" HTTP://R.example:80/ ", "http://r.example"],
  ])('attaching a cluster with the url "%s" stores "%s"', async (given, kept) => {
    await create({ url: given });
    expect(row().url).toBe(kept);
  });
});

describe("the protocol of a cluster", () => {
  const info = async () => (await get("info?name=hub")) as Record<string, unknown>;

  test("the protocol of a cluster is answered as it was sent, and is used by the connection test", async () => {
    await create();
    expect(await info()).toMatchObject({ protocol: null });
    expect(await get("list")).toMatchObject([{ name: "hub", protocol: null }]);
    expect(await get("info/center")).toMatchObject({ type: "CENTER", protocol: null });
    await create({ name: "files", protocol: "WEBDAV" });
    expect(row("files").protocol).toBe("WEBDAV");
    expect(tried.at(-1)).toMatchObject({ protocol: "WEBDAV" });
    await create({ name: "edge", type: "EDGE", protocol: null });
    expect(row("edge").protocol).toBeNull();
  });

  test("the protocol of a cluster is kept by an update without it, and cleared by null", async () => {
    await create({ protocol: "NPM" });
    await update();
    expect(await info()).toMatchObject({ protocol: "NPM" });
    await update({ protocol: "HELM" });
    expect(await info()).toMatchObject({ protocol: "HELM" });
    await update({ protocol: null });
    expect(await info()).toMatchObject({ protocol: null });
  });

  test("the protocol of a cluster must fit its url and type, also when an update changes only one", async () => {
    await create({ url: "s3://bucket/mirror?region=eu-central-1", ping: false });
    expect(await info()).toMatchObject({
      url: "s3://bucket/mirror?region=eu-central-1",
      protocol: null,
    });
    expect(
      await update({ url: "s3://bucket/mirror", protocol: "HTTP", ping: false }),
    ).toMatchObject({
      code: 250105,
      message: expect.stringMatching(/\[url\].*S3, not HTTP/),
    });
    await create({ name: "edge", type: "EDGE", url: "https://edge.example" });
    expect(
      await update({ name: "edge", url: "https://edge.example", protocol: "OCI" }),
    ).toMatchObject({
      code: 250105,
      message: expect.stringMatching(/\[protocol\]/),
    });
  });

  test("secrets of a cluster are kept for the same bucket, and dropped for a host with the bucket's name", async () => {
    await create({ url: "s3://bucket", ping: false });
    await update({ url: "s3://bucket/below", ping: false });
    expect(secretsOf().password).toBe("s3cret");
    await update({ url: "https://bucket", ping: false });
    expect(secretsOf()).toEqual({ username: null, password: null, token: null });
  });
});

describe("changing a cluster", () => {
  beforeEach(() => create());

  test("changing a cluster returns its new state, and keeps secrets that the request leaves out", async () => {
    const before = row();
    const { data } = await update({
      url: "https://registry.example/elsewhere",
      certificate: "PEM",
    });
    expect(data).toMatchObject({
      id: before.id,
      name: "hub",
      type: "REMOTE",
      url: "https://registry.example/elsewhere",
      username: "u",
      certificate: "PEM",
    });
    expect(secretsOf()).toEqual({ username: "u", password: "s3cret", token: null });
    expect(tried.at(-1)).toMatchObject({
      password: "s3cret",
      url: "https://registry.example/elsewhere",
    });
  });

  test("changing a cluster's host or port drops the secrets that the request leaves out", async () => {
    await update({ url: "https://evil.example/mirror" });
    expect(tried.at(-1)).toMatchObject({ username: null, password: null });
    expect(secretsOf()).toEqual({ username: null, password: null, token: null });
    await update({
      url: "https://registry.example:8443",
      username: "v",
      password: "n3w",
    });
    expect(secretsOf()).toEqual({ username: "v", password: "n3w", token: null });
  });

  test("changing a field of a cluster to an empty text clears it", async () => {
    await update({ username: "", password: "", certificate: "" });
    expect(row()).toMatchObject({ username: null, secret: null, certificate: null });
  });

  test.each<[string, Record<string, unknown>, number]>([
    ["an unknown name", { name: "nope" }, 250306],
    ["no url", { url: undefined }, 250106],
    ["a blank url", { url: "" }, 250104],
    ["a url of an unsupported scheme", { url: "gopher://x" }, 250105],
  ])("changing a cluster with %s is refused", async (_case, changes, code) => {
    expect((await update(changes)).code).toBe(code);
    expect(row().url).toBe(HUB.url);
  });

  test("changing an unhealthy cluster shows at once that its test has passed", async () => {
    check.problem = "it is down";
    await api.call("POST", `${CLUSTER}/tryConnect?name=hub`);
    expect(row()).toMatchObject({ status: "UNHEALTHY", errorReason: "it is down" });
    check.problem = null;
    expect((await update({ ping: false })).data).toMatchObject({ status: "UNHEALTHY" });
    const well = { status: "HEALTHY", errorReason: null };
    expect((await update({ password: "right" })).data).toMatchObject(well);
    expect(row()).toMatchObject(well);
  });

  test("changing a cluster that cannot be reached changes nothing, unless ping is false", async () => {
    check.problem = "password refused";
    expect((await update({ password: "wrong" })).code).toBe(250301);
    expect(secretsOf().password).toBe("s3cret");
    expect((await update({ password: "later", ping: false })).code).toBe(0);
    expect(secretsOf().password).toBe("later");
  });
});
