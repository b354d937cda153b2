import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADMIN, basic } from "../../rigs/api/api-fixture.ts";
import {
  makeImage,
  makeIndex,
  missingParts,
  sha256,
  type TestManifest,
} from "../../rigs/servers/images.ts";
import { CRANE, HELM, REGCTL, SKOPEO } from "../../rigs/servers/oci-tools.ts";
import { findTool } from "../../rigs/servers/tools.ts";
import { unique } from "../../rigs/runs/run-fixture.ts";
import { LOGIN, startImages, type Images } from "../../rigs/api/oci-server-fixture.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const tools = {
  crane: await findTool(CRANE),
  regctl: await findTool(REGCTL),
  skopeo: await findTool(SKOPEO),
  helm: await findTool(HELM),
};

let api: Images;
let folder: string;
let image: TestManifest;
let index: TestManifest;
/** Runs a client program of another project, with the login of its usual configuration file. */
const client = async (tool: keyof typeof tools, ...args: string[]): Promise<string> => {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    DOCKER_CONFIG: folder,
    REGCTL_CONFIG: join(folder, "regctl.json"),
    HELM_REGISTRY_CONFIG: join(folder, "config.json"),
  };
  const { stdout } = await run(tools[tool] ?? "", args, {
    cwd: folder,
    env,
    maxBuffer: 16 * MIB,
  });
  return stdout.trim();
};
const at = (name: string) => `${api.host}/team/images/${name}`;
const regctl = (...args: string[]) =>
  client(
    "regctl",
    ...args,
    "--host",
    `reg=${api.host},user=${ADMIN.username},pass=${ADMIN.password},tls=disabled`,
  );
const missing = (name: string, what: TestManifest) =>
  missingParts(api.url, `team/images/${name}`, what, { authorization: LOGIN });

beforeAll(async () => {
  api = await startImages();
  folder = mkdtempSync(join(tmpdir(), "image-clients-"));
  const auth = basic(`${ADMIN.username}:${ADMIN.password}`).slice("Basic ".length);
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ auths: { [api.host]: { auth } } }),
  );
  image = makeImage({ layers: [1_000, 3 * MIB] });
  index = makeIndex([
    makeImage({ layers: [200_000] }),
    makeImage({ architecture: "arm64" }),
  ]);
  await api.push("team/images/seed", "one", image);
  await api.push("team/images/seed", "multi", index);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await api.close();
});

describe.skipIf(tools.crane === null)("crane", () => {
  test("crane logs in, copies across repositories with mounts, pulls, validates, lists and deletes", async () => {
    const name = unique("by/crane-");
    const pulled = join(folder, unique("pulled-"));
    await client(
      "crane",
      "auth",
      "login",
      "--insecure",
      api.host,
      "-u",
      ADMIN.username,
      "-p",
      ADMIN.password,
    );
    for (const [tag, made] of [
      ["one", image],
      ["multi", index],
    ] as const) {
      await client(
        "crane",
        "copy",
        "--insecure",
        at(`seed:${tag}`),
        `${api.host}/team/docker/${name}:${tag}`,
      );
      expect(
        await client(
          "crane",
          "digest",
          "--insecure",
          `${api.host}/team/docker/${name}:${tag}`,
        ),
      ).toBe(made.digest);
    }
    await client("crane", "pull", "--insecure", "--format=oci", at("seed:multi"), pulled);
    await client("crane", "push", "--insecure", pulled, at(`${name}:pushed`));
    await client("crane", "copy", "--insecure", at("seed:one"), at(`${name}:one`));
    expect(await missing(name, image)).toEqual([]);
    expect((await client("crane", "ls", "--insecure", at(name))).split("\n")).toEqual([
      "one",
      "pushed",
    ]);
    expect(await client("crane", "catalog", "--insecure", api.host)).toContain(
      `team/docker/${name}`,
    );
    await client("crane", "tag", "--insecure", at(`${name}:one`), "two");
    await client("crane", "delete", "--insecure", at(`${name}:one`));
    expect(await api.tags(`team/images/${name}`)).toEqual(["pushed", "two"]);
  });
});

describe.skipIf(tools.regctl === null)("regctl", () => {
  test("regctl copies an image, attaches artifacts and lists them, and deletes a tag and a manifest", async () => {
    const name = unique("by/regctl-");
    for (const tag of ["one", "multi"])
      await regctl("image", "copy", at(`seed:${tag}`), at(`${name}:${tag}`));
    expect(await missing(name, index)).toEqual([]);
    writeFileSync(join(folder, "sbom.json"), '{"sbom":true}');
    await regctl(
      "artifact",
      "put",
      "--artifact-type",
      "application/spdx+json",
      "--file",
      join(folder, "sbom.json"),
      "--subject",
      at(`${name}:multi`),
    );
    await regctl(
      "artifact",
      "put",
      "--artifact-type",
      "application/spdx+json",
      "--file",
      join(folder, "sbom.json"),
      "--subject",
      at(`${name}:multi`),
      "--platform",
      "linux/arm64",
    );
    const tree = await regctl("artifact", "tree", at(`${name}:multi`));
    expect(tree.match(/application\/spdx\+json/g)?.length).toBe(2);
    expect(
      (
        await regctl(
          "artifact",
          "get",
          "--subject",
          at(`${name}:multi`),
          "--filter-artifact-type",
          "application/spdx+json",
        )
      ).trim(),
    ).toBe('{"sbom":true}');
    // regctl has written no fallback tag (sha256-…): it uses the referrers API.
    expect(await api.tags(`team/images/${name}`)).toEqual(["multi", "one"]);
    await regctl("tag", "delete", at(`${name}:one`));
    await regctl("manifest", "delete", `${at(name)}@${index.digest}`);
    expect(await api.tags(`team/images/${name}`)).toEqual([]);
    expect((await regctl("repo", "ls", api.host)).split("\n")).toContain(
      "team/images/seed",
    );
  });

  test("regctl uploads a blob in chunks", async () => {
    const blob = join(folder, "blob");
    const bytes = Buffer.alloc(20 * MIB, "chunks");
    writeFileSync(blob, bytes);
    const sizes = `blobChunk=${MIB},blobMax=${2 * MIB}`;
    const host = `reg=${api.host},user=${ADMIN.username},pass=${ADMIN.password},tls=disabled,${sizes}`;
    const digest = await new Promise<string>((resolve, reject) => {
      const child = spawn(
        tools.regctl ?? "",
        ["blob", "put", at("by/chunks"), "--host", host],
        {
          stdio: ["pipe", "pipe", "inherit"],
          env: { PATH: process.env["PATH"] ?? "", HOME: folder },
        },
      );
      let said = "";
      child.stdout.on("data", (part: Buffer) => (said += part.toString()));
      child
        .on("error", reject)
        .on("exit", (code) =>
          code === 0
            ? resolve(said.trim())
            : reject(new Error(`regctl ended with ${code}`)),
        );
      child.stdin.end(bytes);
    });
    expect(digest).toBe(sha256(bytes));
    expect(
      (await api.http("HEAD", `/v2/team/images/by/chunks/blobs/${digest}`)).headers.get(
        "content-length",
      ),
    ).toBe(String(bytes.length));
  });
});

describe.skipIf(tools.skopeo === null)("skopeo", () => {
  test("skopeo copies an index with all its images to a folder and back, and inspects it", async () => {
    const name = unique("by/skopeo-");
    const copied = `dir:${join(folder, unique("skopeo-"))}`;
    const login = `${ADMIN.username}:${ADMIN.password}`;
    await client(
      "skopeo",
      "copy",
      "--all",
      "--src-tls-verify=false",
      `--src-creds=${login}`,
      `docker://${at("seed:multi")}`,
      copied,
    );
    await client(
      "skopeo",
      "copy",
      "--all",
      "--dest-tls-verify=false",
      `--dest-creds=${login}`,
      copied,
      `docker://${at(`${name}:multi`)}`,
    );
    await client(
      "skopeo",
      "copy",
      "--preserve-digests",
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      `--src-creds=${login}`,
      `--dest-creds=${login}`,
      `docker://${at("seed:one")}`,
      `docker://${at(`${name}:one`)}`,
    );
    expect([await missing(name, index), await missing(name, image)]).toEqual([[], []]);
    const inspected = JSON.parse(
      await client(
        "skopeo",
        "inspect",
        "--tls-verify=false",
        `--creds=${login}`,
        `docker://${at(`${name}:one`)}`,
      ),
    ) as { Digest: string; RepoTags: string[] };
    expect([inspected.Digest, inspected.RepoTags]).toEqual([
      image.digest,
      ["multi", "one"],
    ]);
    await client(
      "skopeo",
      "delete",
      "--tls-verify=false",
      `--creds=${login}`,
      `docker://${at(`${name}:one`)}`,
    );
    expect(await api.tags(`team/images/${name}`)).toEqual(["multi"]);
  });
});

describe.skipIf(tools.helm === null)("helm", () => {
  test("helm logs in, pushes a chart and pulls it unchanged", async () => {
    const charts = unique("charts-");
    const chart = join(folder, "chart");
    mkdirSync(join(chart, "templates"), { recursive: true });
    writeFileSync(
      join(chart, "Chart.yaml"),
      "apiVersion: v2\nname: demo\nversion: 1.2.0+build.5\n",
    );
    writeFileSync(
      join(chart, "templates", "map.yaml"),
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo}\n",
    );
    await client(
      "helm",
      "registry",
      "login",
      api.host,
      "--plain-http",
      "-u",
      ADMIN.username,
      "-p",
      ADMIN.password,
    );
    await client("helm", "package", chart, "-d", folder);
    await client(
      "helm",
      "push",
      join(folder, "demo-1.2.0+build.5.tgz"),
      `oci://${at(charts)}`,
      "--plain-http",
    );
    mkdirSync(join(folder, charts));
    await client(
      "helm",
      "pull",
      `oci://${at(charts)}/demo`,
      "--version",
      "1.2.0+build.5",
      "--plain-http",
      "-d",
      join(folder, charts),
    );
    expect(readFileSync(join(folder, charts, "demo-1.2.0+build.5.tgz"))).toEqual(
      readFileSync(join(folder, "demo-1.2.0+build.5.tgz")),
    );
    expect(await api.tags(`team/images/${charts}/demo`)).toEqual(["1.2.0_build.5"]);
  });
});
