import { afterEach, beforeEach, expect, test } from "vitest";
import { random } from "../../rigs/api/content-fixture.ts";
import { npmCaller, startNpm } from "../../rigs/api/npm-fixture.ts";
import { integrity, publication } from "../../rigs/servers/npm-publication.ts";
import { rawRequest } from "../../rigs/api/socket-fixture.ts";
import { NOTHING, npmPublishing } from "../../rigs/api/npm-publishing.ts";

let api: Awaited<ReturnType<typeof startNpm>>;
beforeEach(async () => {
  api = await startNpm({ maxUpload: 1024 * 1024 });
});
afterEach(() => api.close());

const MIB = 1024 * 1024;
const { publish, put, stored } = npmPublishing(() => api);

const tarball = random(5_000);
const whole = publication("pear", "1.0.0", tarball);
const version = whole.versions["1.0.0"] ?? {};
const withDist = (dist: object) => ({
  ...whole,
  versions: { "1.0.0": { ...version, dist } },
});
const withAttachment = (attachment: object, file = "pear-1.0.0.tgz") => ({
  ...whole,
  _attachments: { [file]: attachment },
});
const data = tarball.toString("base64");

test.each([
  [
    "another shasum",
    withDist({ shasum: "0".repeat(40) }),
    400,
    /has the shasum [0-9a-f]{40}, not 0{40} as announced/,
  ],
  [
    "another integrity",
    withDist({ integrity: integrity(random(9)) }),
    400,
    /has the integrity sha512-/,
  ],
  [
    "an integrity of an unknown algorithm",
    withDist({ integrity: "md5-abcd" }),
    400,
    /is not a sha512, sha256 or sha1/,
  ],
  [
    "another length",
    withAttachment({ data, length: 4_999 }),
    400,
    /announces 4999 bytes and has 5000/,
  ],
  [
    "characters that are not base64",
    withAttachment({ data: `${data.slice(0, 400)}%$${data.slice(402)}` }),
    400,
    /not valid base64/,
  ],
  [
    "base64 that continues after its end",
    withAttachment({ data: `QQ==${data}` }),
    400,
    /not valid base64/,
  ],
  [
    "base64 that is cut off",
    withAttachment({ data: data.slice(0, -3) }),
    400,
    /not valid base64/,
  ],
  [
    "an empty tarball",
    { ...withDist({}), _attachments: { "pear-1.0.0.tgz": { data: "" } } },
    400,
    /is empty/,
  ],
  ["no tarball", { ...whole, _attachments: {} }, 400, /has no tarball/],
  [
    "two tarballs",
    { ...whole, _attachments: { "a.tgz": { data }, "b.tgz": { data } } },
    400,
    /more than one attachment/,
  ],
  [
    "a provenance statement",
    {
      ...whole,
      _attachments: { ...whole._attachments, "pear-1.0.0.sigstore": { data: "{}" } },
    },
    400,
    /--provenance=false/,
  ],
  [
    "two versions",
    { ...whole, versions: { ...whole.versions, "1.0.1": {} } },
    400,
    /the one version/,
  ],
  ["no version", { ...whole, versions: {} }, 400, /the one version/],
  [
    "an invalid version",
    { ...whole, versions: { "1.0": { ...version, version: "1.0" } } },
    400,
    /"1.0" is not a valid version/,
  ],
  [
    "another version inside its document",
    { ...whole, versions: { "1.0.1": version } },
    400,
    /names the version "1.0.0"/,
  ],
  [
    "another name inside its document",
    { ...whole, name: "apple" },
    400,
    /names the package "apple"/,
  ],
  [
    "another name inside its version",
    { ...whole, versions: { "1.0.0": { ...version, name: "apple" } } },
    400,
    /names the package "apple"/,
  ],
  [
    "a version as a dist-tag",
    { ...whole, "dist-tags": { "1.x": "1.0.0" } },
    400,
    /"1.x" is not a valid dist-tag/,
  ],
  ["a JSON list as its body", [], 400, /not a JSON object/],
  ["invalid JSON", Buffer.from('{"versions":'), 400, /not valid JSON/],
  [
    "JSON that ends within the tarball",
    Buffer.from(`{"_attachments":{"x":{"data":"${data}`),
    400,
    /ends within the tarball/,
  ],
  [
    "1,000 nested lists",
    Buffer.from(`{"a":${"[".repeat(1000)}${"]".repeat(1000)}}`),
    400,
    /nested more than/,
  ],
  [
    "a document that is too large",
    { ...whole, versions: { "1.0.0": { ...version, readme: "x".repeat(5 * MIB) } } },
    413,
    /document of the version/,
  ],
  [
    "a tarball that is too large",
    publication("pear", "1.0.0", random(MIB + 1)),
    413,
    /1048576 bytes/,
  ],
])(
  "an npm publication with %s is refused and leaves nothing behind",
  async (_what, body, status, message) => {
    const answer = await put("pear", body);
    expect([answer.status, String(answer.json["error"])]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
    expect(stored()).toEqual(NOTHING);
    expect(api.logs.filter(({ level }) => level === "error")).toEqual([]);
  },
);

test.each([
  "..",
  "%2e%2e",
  "%252e%252e",
  ".hidden",
  "_private",
  "__proto__",
  "node_modules",
  "-",
  "a%20b",
  "a%00b",
  "@s%2f..",
  "@s/..%2fx",
  "@%2fx",
  "caf%C3%A9",
  "%ff",
  "x".repeat(215),
])("the npm package name %s is refused, and nothing is stored", async (name) => {
  for (const method of ["PUT", "GET"]) {
    const { status, headers, body } = await rawRequest(
      api.port,
      method,
      `${api.base}/${name}${name === "-" ? "/-/x" : ""}`,
      method === "PUT" ? JSON.stringify(whole) : "",
    );
    expect([400, 404, 405]).toContain(status);
    expect(headers).toMatch(/content-type: application\/json/i);
    expect(body).toMatch(/"error":/);
  }
  expect(stored()).toEqual(NOTHING);
});

test.each(["../../../x.tgz", "..%2f..%2fx.tgz", "%2e%2e", "x%00.tgz", "%5c..%5cx"])(
  "the tarball path %s is not found",
  async (file) => {
    await publish("pear", "1.0.0", random(10));
    const { status } = await rawRequest(api.port, "GET", `${api.base}/pear/-/${file}`);
    expect([400, 404]).toContain(status);
  },
);

test.each([
  ["a request without credentials", "GET", "/pear", { authorization: "" }, 401, /_auth/],
  [
    "a request with a wrong password",
    "GET",
    "/pear",
    { authorization: `Basic ${Buffer.from("admin:wrong").toString("base64")}` },
    401,
    /password is wrong.*_auth/,
  ],
  [
    "npm login",
    "PUT",
    "/-/user/org.couchdb.user:joe",
    { authorization: "" },
    403,
    /_auth/,
  ],
  [
    "npm login with a browser",
    "POST",
    "/-/v1/login",
    { authorization: "" },
    403,
    /_auth/,
  ],
  ["npm audit", "POST", "/-/npm/v1/security/advisories/bulk", {}, 404, /not supported/],
  [
    "npm owner",
    "GET",
    "/-/user/org.couchdb.user:joe",
    {},
    403,
    /there are no users, owners/,
  ],
  ["npm access", "GET", "/-/package/pear/access", {}, 403, /there are no users, owners/],
  [
    "a request for a missing package",
    "GET",
    "/pear",
    {},
    404,
    /there is no package pear in demo\/packages/,
  ],
  [
    "a request with an unsupported method",
    "DELETE",
    "/pear",
    {},
    405,
    /GET, HEAD(?:,| or) PUT/,
  ],
  [
    "a request for an unknown address",
    "GET",
    "/pear/1.0.0/x/y",
    {},
    404,
    /there is nothing at/,
  ],
])(
  "%s is refused with a reason that npm shows",
  async (_what, method, path, headers, status, message) => {
    const answer = await api.npm(method, path, { headers });
    expect([answer.status, answer.json]).toEqual([
      status,
      { error: expect.stringMatching(message), reason: expect.any(String) },
    ]);
    expect(answer.headers["www-authenticate"]?.includes("Basic") ?? false).toBe(
      status === 401,
    );
  },
);

test.each([
  ["/npm/nowhere/packages", /there is no project nowhere/],
  ["/npm/demo/nowhere", /there is no repository demo\/nowhere/],
  ["/npm/demo/files", /of type GENERIC, not NPM/],
])("%s is refused as an npm registry, and the answer says why", async (base, message) => {
  const { status, json } = await npmCaller(api.port, base)("GET", "/-/ping");
  expect([status, json["error"]]).toEqual([404, expect.stringMatching(message)]);
});
