import { expect, test } from "vitest";
import { startNpm } from "../rigs/api/npm-fixture.ts";
import { publication } from "../rigs/servers/npm-publication.ts";
import { startImages } from "../rigs/api/oci-server-fixture.ts";
import { makeBlob, makeImage } from "../rigs/servers/images.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";

// These tests provoke status codes that no other test of native endpoints provokes. When a test closes its API,
// documented-statuses.ts checks that the OpenAPI document lists every status that was answered.

test("the OpenAPI document lists the rare status codes of the image endpoints", async () => {
  const api = await startImages();
  const blob = makeBlob(2_000);
  await api.putBlob("team/images/a", blob);
  const at = `/v2/team/images/a/blobs/${blob.digest}`;
  const image = makeImage();
  const tags = Array.from({ length: 101 }, (_, i) => `tag=t${i}`).join("&");
  const asked: [string, string, Record<string, string>, number][] = [
    ["HEAD", at, { range: "bytes=0-9" }, 206],
    ["HEAD", at, { range: "bytes=9999-" }, 416],
    ["HEAD", at, { "if-none-match": `"${blob.digest}"` }, 304],
    ["GET", at, { range: "bytes=9999-" }, 416],
    ["GET", "/v2/_catalog?n=x", {}, 400],
    ["GET", "/v2/team/images/a/tags/list?n=x", {}, 400],
    ["GET", "/v2/team/nowhere/a/tags/list", {}, 404],
    ["GET", "/v2/team/nowhere/a/referrers/sha256:1", {}, 404],
    ["PUT", `/v2/team/images/a/manifests/${image.digest}?${tags}`, {}, 414],
    ["PUT", "/v2/team/images/a/manifests/-x", {}, 400],
    ["DELETE", "/v2/team/images/A/manifests/x", {}, 400],
    ["POST", "/v2/token", {}, 400],
    ["GET", "/v2/", { authorization: "Basic eDp5" }, 401],
  ];
  for (const [method, path, headers, status] of asked)
    expect([method, path, (await api.http(method, path, { headers })).status]).toEqual([
      method,
      path,
      status,
    ]);
  await api.close();
});

test("the OpenAPI document lists the rare status codes of the npm endpoints", async () => {
  const api = await startNpm();
  await api.npm("PUT", "/pear", { body: publication("pear", "1.0.0", Buffer.from("x")) });
  const tarball = "/pear/-/pear-1.0.0.tgz";
  const asked: [
    string,
    string,
    { headers?: Record<string, string>; body?: unknown },
    number,
  ][] = [
    ["HEAD", tarball, { headers: { range: "bytes=0-0" } }, 206],
    ["HEAD", tarball, { headers: { range: "bytes=9-" } }, 416],
    ["PUT", "/pear", { body: { users: { me: true } } }, 403],
    ["PUT", "/pear/-rev/1", { body: { maintainers: [] } }, 403],
    ["PUT", "/pear/-rev/1", { body: { versions: {} } }, 409],
    ["PUT", "/-/package/pear/dist-tags/1.x", { body: "1.0.0" }, 400],
    ["DELETE", "/-/package/pear/dist-tags/latest", {}, 403],
    ["DELETE", `${tarball}/-rev/1`, {}, 409],
    ["DELETE", "/apple/-rev/1", {}, 404],
    ["GET", "/%ff", {}, 400],
    ["GET", "/pear/9.9.9", {}, 404],
  ];
  for (const [method, path, call, status] of asked)
    expect([method, path, (await api.npm(method, path, call)).status]).toEqual([
      method,
      path,
      status,
    ]);
  await api.close();
});

test("the OpenAPI document lists the rare status codes of the Maven and file endpoints", async () => {
  const api = await startApi();
  await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name: "jars", type: "MAVEN" },
  });
  for (const [prefix, made, taken] of [
    ["/maven/demo/jars", 201, 409],
    ["/generic/demo/files", 200, 400],
  ] as const) {
    const file = `${prefix}/g/a/1/a-1.jar`;
    const asked: [string, string, Record<string, string>, string, number][] = [
      ["PUT", file, {}, "one", made],
      ["PUT", file, {}, "other", taken],
      ["PUT", `${prefix}/a//b`, {}, "x", 400],
      ["HEAD", file, { range: "bytes=99-" }, "", 416],
      ["HEAD", file, { range: "bytes=0-0" }, "", 206],
      ["GET", `${prefix}/nothing`, {}, "", 404],
      ["GET", file, { authorization: "Basic eDp5" }, "", 401],
      ["DELETE", `${prefix}/nothing`, {}, "", 404],
      ["DELETE", `${prefix}/`, {}, "", 400],
    ];
    for (const [method, path, headers, body, status] of asked) {
      const length = body === "" ? {} : { "content-length": body.length };
      expect([
        method,
        path,
        (
          await send(
            api.port,
            method,
            path,
            { ...length, ...headers },
            body === "" ? [] : [Buffer.from(body)],
          )
        ).status,
      ]).toEqual([method, path, status]);
    }
  }
  await api.close();
});
