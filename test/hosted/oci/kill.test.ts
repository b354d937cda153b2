import { afterAll, beforeAll, expect, test } from "vitest";
import { basic } from "../../rigs/api/api-fixture.ts";
import { api as callOf, startInstance, type Instance } from "../../rigs/runs/instance.ts";
import { createClient, withDigest } from "../../rigs/api/oci-server-fixture.ts";
import {
  makeBlob,
  makeImage,
  missingParts,
  pushImage,
} from "../../rigs/servers/images.ts";

const MIB = 1024 * 1024;
const NAME = "team/images/app";

let instance: Instance;
let authorization: string;
beforeAll(async () => {
  instance = await startInstance();
  authorization = basic(`${instance.username}:${instance.password}`);
  const call = callOf(instance);
  await call("POST", "/repository/api/project/create", {
    name: "team",
    displayName: "Team",
  });
  await call("POST", "/repository/api/repo/create", {
    projectId: "team",
    name: "images",
    type: "OCI",
  });
});
afterAll(() => instance.remove());

test("a blob upload continues at its offset after the control plane, then the whole service, was killed", async () => {
  const { http } = createClient(instance.url);
  const call: typeof http = (method, path, options) =>
    http(method, path, { ...options, login: authorization });
  const layer = makeBlob(24 * MIB);
  const image = makeImage({ layers: [layer] });
  const location =
    (await call("POST", `/v2/${NAME}/blobs/uploads/`)).headers.get("location") ?? "";
  const here = async (): Promise<number> => {
    const status = await call("GET", location);
    expect(status.status).toBe(204);
    return Number(/^0-(\d+)$/.exec(status.headers.get("range") ?? "")?.[1]) + 1;
  };
  const send = (from: number, to: number) =>
    call("PATCH", location, {
      body: layer.bytes.subarray(from, to),
      headers: { "content-range": `${from}-${to - 1}` },
    });

  expect((await send(0, 8 * MIB)).status).toBe(202);
  const second = send(8 * MIB, 24 * MIB).catch(() => null);
  await instance.kill("control");
  await second;
  await instance.ready();
  let offset = await here();
  expect(offset).toBeGreaterThanOrEqual(8 * MIB);
  if (offset < 16 * MIB) await send(offset, 16 * MIB);

  await instance.stop("SIGKILL");
  await instance.restart();
  offset = await here();
  expect(offset).toBeGreaterThanOrEqual(16 * MIB);
  if (offset < layer.bytes.length) await send(offset, layer.bytes.length);
  expect((await call("PUT", withDigest(location, layer.digest))).status).toBe(201);

  await pushImage(instance.url, NAME, "v1", image, { authorization });
  await instance.kill("control");
  await instance.ready();
  expect(await missingParts(instance.url, NAME, image, { authorization })).toEqual([]);
  expect((await call("GET", `/v2/${NAME}/tags/list`)).json).toEqual({
    name: NAME,
    tags: ["v1"],
  });
}, 180_000);
