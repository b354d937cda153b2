import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeImage, sha256 } from "../../rigs/servers/images.ts";
import { codeOf, startImages, type Images } from "../../rigs/api/oci-server-fixture.ts";

/**
 * These tests follow the OCI distribution-spec 1.1 without its section "Push" (push.test.ts, push-manifests.test.ts):
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
let api: Images;
beforeAll(async () => {
  api = await startImages();
});
afterAll(() => api.close());

const NOWHERE = sha256(Buffer.from("nowhere"));
let made = 0;
/** Returns an image name that no other test uses. */
const fresh = (repository = "team/images") => `${repository}/app${(made += 1)}/part`;
const header = (answer: { headers: Headers }, name: string) => answer.headers.get(name);

describe("determining support", () => {
  test("the endpoint /v2/ answers 200, with and without the last slash", async () => {
    for (const path of ["/v2/", "/v2"])
      expect([
        (await api.http("GET", path)).status,
        header(await api.http("GET", path), "docker-distribution-api-version"),
      ]).toEqual([200, "registry/2.0"]);
  });
});

describe("deletion", () => {
  test("deleting a tag keeps its manifest, and deleting a manifest deletes its tags but not its blobs", async () => {
    const name = fresh();
    const image = makeImage();
    for (const tag of ["a", "b", "c"]) await api.push(name, tag, image);
    expect((await api.http("DELETE", `/v2/${name}/manifests/a`)).status).toBe(202);
    expect([
      (await api.http("GET", `/v2/${name}/manifests/a`)).status,
      (await api.http("GET", `/v2/${name}/manifests/${image.digest}`)).status,
    ]).toEqual([404, 200]);
    expect(
      (await api.http("DELETE", `/v2/${name}/manifests/${image.digest}`)).status,
    ).toBe(202);
    for (const reference of ["b", "c", image.digest])
      expect((await api.http("GET", `/v2/${name}/manifests/${reference}`)).status).toBe(
        404,
      );
    const [config] = image.blobs;
    expect((await api.http("DELETE", `/v2/${name}/blobs/${config?.digest}`)).status).toBe(
      202,
    );
    expect((await api.http("GET", `/v2/${name}/blobs/${config?.digest}`)).status).toBe(
      404,
    );
  });

  test("deleting a tag, manifest or blob that does not exist is answered with 404", async () => {
    const name = fresh();
    await api.push(name, "v1", makeImage());
    for (const path of [`manifests/v2`, `manifests/${NOWHERE}`, `blobs/${NOWHERE}`]) {
      for (const image of [name, fresh(), "nobody/images/x"])
        expect((await api.http("DELETE", `/v2/${image}/${path}`)).status).toBe(404);
    }
  });
});

describe("the catalog", () => {
  test("the catalog lists the images with tags of all hosted repositories, in pages", async () => {
    const names = ["team/images/zz-a", "team/images/zz-b/c", "team/docker/zz"];
    for (const name of names) await api.push(name, "v1", makeImage());
    const seen: string[] = [];
    for (let next: string | null = "/v2/_catalog?n=2"; next !== null;) {
      const page = await api.http("GET", next);
      seen.push(...(page.json as { repositories: string[] }).repositories);
      next = /^<(.+)>; rel="next"$/.exec(header(page, "link") ?? "")?.[1] ?? null;
    }
    expect(seen).toEqual(seen.toSorted());
    expect(seen).toEqual(expect.arrayContaining(names));
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe("errors", () => {
  test("errors are answered in the JSON format of the OCI distribution specification", async () => {
    const answer = await api.http("GET", "/v2/team/images/none/manifests/v1");
    expect(header(answer, "content-type")).toContain("application/json");
    expect(answer.json).toEqual({
      errors: [{ code: "MANIFEST_UNKNOWN", message: expect.stringContaining("v1") }],
    });
  });

  test.each([
    ["an image in a linked repository", "team/linked/app", "NAME_UNKNOWN", "linked"],
    ["an image in a repository of files", "team/files/app", "NAME_UNKNOWN", "GENERIC"],
    [
      "a path without an image name",
      "team/images",
      "NAME_UNKNOWN",
      "project/repository/image",
    ],
    ["an image in a missing repository", "team/none/app", "NAME_UNKNOWN", "team/none"],
    ["an image name in upper case", "team/images/App", "NAME_INVALID", "lower-case"],
    [
      "an image name with an empty part",
      "team/images//app",
      "NAME_INVALID",
      "lower-case",
    ],
    [
      "an image name with an encoded slash",
      "team/images/a%2fb",
      "NAME_INVALID",
      "lower-case",
    ],
    [
      "an image name that is too long",
      `team/images/${"a".repeat(250)}`,
      "NAME_INVALID",
      "255",
    ],
  ])(
    "%s is refused with the reason, in pushes and pulls",
    async (_what, name, code, words) => {
      for (const answer of [
        await api.http("POST", `/v2/${name}/blobs/uploads/`),
        await api.http("GET", `/v2/${name}/tags/list`),
      ]) {
        expect([answer.status, codeOf(answer), answer.text]).toEqual([
          code === "NAME_INVALID" ? 400 : 404,
          code,
          expect.stringContaining(words),
        ]);
      }
    },
  );

  test("unsupported methods are answered with 405, and unknown paths with 404", async () => {
    const answer = await api.http("PATCH", "/v2/team/images/app/manifests/v1", {
      body: "x",
    });
    expect([answer.status, header(answer, "allow"), codeOf(answer)]).toEqual([
      405,
      "GET, HEAD, PUT, DELETE",
      "UNSUPPORTED",
    ]);
    for (const path of [
      "/v2/x",
      "/v2/team/images/app/manifests",
      "/v2/team/images/app/tags",
      "/v2/constructor",
      "/v2//",
    ])
      expect((await api.http("GET", path)).status).toBe(404);
  });
});
