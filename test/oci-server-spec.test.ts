import { afterAll, beforeAll, expect, test } from "vitest";
import { makeImage } from "./servers/images.ts";
import { startImages, type Images } from "./oci-server-fixture.ts";

let api: Images;
beforeAll(async () => {
  api = await startImages();
});
afterAll(() => api.close());

test("push and pull", async () => {
  const image = makeImage({ layers: [1000, 300_000] });
  await api.push("team/images/a/b", "v1", image);
  const got = await api.http("GET", "/v2/team/images/a/b/manifests/v1");
  expect(got.status).toBe(200);
  expect(got.bytes).toEqual(image.bytes);
  expect(await api.tags("team/images/a/b")).toEqual(["v1"]);
});
