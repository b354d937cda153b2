import type { Built } from "../transfer/package-copy-fixture.ts";
import { authorizationOf, type Instance } from "./instance.ts";
import {
  type RecordDetail,
  type TaskDraft,
  type TaskObject,
  unique,
} from "./run-fixture.ts";
import { startFileRig } from "./run-rig.ts";

export type PackageRig = Awaited<ReturnType<typeof startPackageRig>>;

/** Starts two instances for runs of packages between hosted repositories. */
export async function startPackageRig() {
  const rig = await startFileRig();
  return {
    ...rig,
    /** A repository of the first instance. */
    here: (repoName: string) => openRepository(rig.center, rig.projectId, repoName),
    /** A repository of the second instance. */
    there: (repoName: string) => openRepository(rig.edge, rig.projectId, repoName),
    /** Creates a hosted repository at the first instance and returns its name. */
    async hosted(type: "MAVEN" | "NPM"): Promise<string> {
      const name = unique(type.toLowerCase());
      await rig.product.hosted(rig.projectId, name, type);
      return name;
    },
    /** Starts a run of a repository to the second instance and returns its task's key. */
    run: (
      repoName: string,
      repoType: "MAVEN" | "NPM",
      {
        object = {},
        ...rest
      }: Partial<TaskDraft> & { object?: Partial<TaskObject> } = {},
    ) =>
      rig.product.run({
        projectId: rig.projectId,
        objects: [{ localRepoName: repoName, repoType, ...object }],
        clusters: [rig.cluster],
        ...rest,
      }),
  };
}

/** Opens one repository of an instance as Maven's and npm's clients use it. */
function openRepository(end: Instance, projectId: string, repoName: string) {
  const headers = { authorization: authorizationOf(end) };
  const url = (kind: string, path: string) =>
    `${end.url}/${kind}/${projectId}/${repoName}${path}`;
  const put = async (address: string, body: Uint8Array | string) => {
    const answer = await fetch(address, {
      method: "PUT",
      headers: {
        ...headers,
        ...(typeof body === "string" && { "content-type": "application/json" }),
      },
      body: typeof body === "string" ? body : new Uint8Array(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`PUT ${address}: ${answer.status} ${text}`);
  };
  const get = async (address: string) => {
    const answer = await fetch(address, { headers });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return answer.ok ? bytes : null;
  };
  return {
    deploy: async ({ bytes }: Built) => {
      for (const [path, content] of bytes) await put(url("maven", path), content);
    },
    putFile: (path: string, content: Uint8Array) => put(url("maven", path), content),
    getFile: (path: string) => get(url("maven", path)),
    publish: async (
      { stated: { package: name, version, document }, bytes }: Built,
      tag = "latest",
    ) => {
      const [content] = bytes.values();
      const attachment = {
        content_type: "application/octet-stream",
        data: content?.toString("base64"),
        length: content?.length,
      };
      const body = {
        _id: name,
        name,
        "dist-tags": { [tag]: version },
        versions: { [version]: document },
        _attachments: { [`${name}-${version}.tgz`]: attachment },
      };
      await put(url("npm", `/${name.replace("/", "%2f")}`), JSON.stringify(body));
    },
    tag: (name: string, tag: string, version: string) =>
      put(
        url("npm", `/-/package/${name.replace("/", "%2f")}/dist-tags/${tag}`),
        JSON.stringify(version),
      ),
    async packument(name: string) {
      const bytes = await get(url("npm", `/${name.replace("/", "%2f")}`));
      return (
        bytes &&
        (JSON.parse(bytes.toString("utf8")) as {
          "dist-tags": Record<string, string>;
          versions: Record<
            string,
            Record<string, unknown> & {
              dist: Record<"tarball" | "integrity" | "shasum", string>;
            }
          >;
        })
      );
    },
    getTarball: (address: string) => get(address),
  };
}

/** Returns the detail of a version, or of a file if `version` is null. */
export const detailOf = (details: RecordDetail[], name: string, version: string | null) =>
  details.find((row) => row.artifactName === name && row.version === version);
