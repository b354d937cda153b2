import { createHash } from "node:crypto";
import { FILES_MEDIA_TYPE, SYNC_PREFIX } from "../../../domain/sync.ts";
import { VERSIONS_MEDIA_TYPE } from "../../../domain/sync-versions.ts";
import { publication } from "../servers/npm-publication.ts";
import { frameFiles, statedFile } from "./file-statement-fixture.ts";
import { frame, mavenVersion } from "./package-copy-fixture.ts";
import type { createTestApi } from "../api/api-fixture.ts";
import { send } from "../api/socket-fixture.ts";

/** An answer of any protocol; `said`: its sentence. */
type DoorAnswer = {
  status: number;
  said: string;
  headers: Record<string, unknown>;
};

/**
 * One way for bytes to come in. `put` sends a content; it is stored if the status is below 300, and then its repository
 * has the content's size more, unless `isLoose`: the content belongs to no repository yet.
 */
export type Door = {
  name: string;
  repository: string;
  isLoose?: true;
  put: (content: Buffer) => Promise<DoorAnswer>;
  /** Declares a content of this size without sending it, where the protocol can do that. */
  declare?: (size: number) => Promise<DoorAnswer>;
};

type Api = ReturnType<typeof createTestApi> & { port: number };
const REPOSITORIES = { files: "GENERIC", mvn: "MAVEN", npm: "NPM", img: "OCI" } as const;

/** Creates the repositories of the doors in the project `demo`. */
export async function createDoorRepositories(api: Api): Promise<void> {
  for (const [name, type] of Object.entries(REPOSITORIES))
    await api.call("POST", "/repository/api/repo/create", {
      body: { projectId: "demo", name, type },
    });
}

const digestOf = (content: Buffer) =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** Returns every door through which bytes come into the store. */
export function uploadDoors(api: Api): Door[] {
  let number = 0;
  const next = () => `n${(number += 1)}`;
  async function ask(
    method: string,
    path: string,
    content: Buffer,
    headers: Record<string, string> = {},
  ): Promise<DoorAnswer> {
    const answer = await send(
      api.port,
      method,
      path,
      { "content-length": content.length, ...headers },
      content.length === 0 ? [] : [content],
    );
    return {
      status: answer.status,
      said: answer.body.toString("utf8"),
      headers: answer.headers,
    };
  }
  const json = { "content-type": "application/json" };
  const images = "/v2/demo/img/app/blobs/uploads/";
  const beginImage = () => ask("POST", images, Buffer.alloc(0));
  const begin = async (size: number | null) => {
    const asked = Buffer.from(JSON.stringify(size === null ? {} : { size }));
    return ask("POST", `${SYNC_PREFIX}/uploads`, asked, json);
  };
  return [
    {
      name: "a file of /generic",
      repository: "files",
      put: (content) => ask("PUT", `/generic/demo/files/${next()}`, content),
    },
    {
      name: "a file of /maven",
      repository: "mvn",
      put: (content) => ask("PUT", `/maven/demo/mvn/g/a/${next()}/a.bin`, content),
    },
    {
      name: "a publication of /npm",
      repository: "npm",
      put: (content) => {
        const name = next();
        const body = Buffer.from(JSON.stringify(publication(name, "1.0.0", content)));
        return ask("PUT", `/npm/demo/npm/${name}`, body, json);
      },
    },
    {
      name: "a blob of /v2 in one request",
      repository: "img",
      put: (content) => ask("POST", `${images}?digest=${digestOf(content)}`, content),
    },
    {
      name: "a blob of /v2 in chunks",
      repository: "img",
      async put(content) {
        const begun = await beginImage();
        if (begun.status >= 300) return begun;
        const place = String(begun.headers["location"]);
        const chunk = await ask("PATCH", place, content);
        if (chunk.status >= 300) return chunk;
        return ask("PUT", `${place}?digest=${digestOf(content)}`, Buffer.alloc(0));
      },
    },
    {
      name: "a manifest of /v2",
      repository: "img",
      put: (content) => {
        const manifest = Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: "application/vnd.oci.image.index.v1+json",
            manifests: [],
            annotations: {
              filler: content.toString("hex").slice(0, content.length - 200),
            },
          }),
        );
        return ask("PUT", `/v2/demo/img/app/manifests/${next()}`, manifest, {
          "content-type": "application/vnd.oci.image.index.v1+json",
        });
      },
    },
    {
      name: "files that another instance declares",
      repository: "files",
      put: (content) =>
        ask(
          "POST",
          `${SYNC_PREFIX}/files/demo/files`,
          frameFiles([statedFile(content, { path: `/${next()}` })], [content]),
          { "content-type": FILES_MEDIA_TYPE },
        ),
      declare: (size) => {
        const file = { ...statedFile(Buffer.from(next())), size, attached: false };
        return ask("POST", `${SYNC_PREFIX}/files/demo/files`, frameFiles([file]), {
          "content-type": FILES_MEDIA_TYPE,
        });
      },
    },
    {
      name: "versions that another instance declares",
      repository: "mvn",
      put: (content) => {
        const { stated, bytes } = mavenVersion(`g:${next()}`, "1", { ".jar": content });
        return ask(
          "POST",
          `${SYNC_PREFIX}/versions/demo/mvn`,
          frame("MAVEN", [stated], [...bytes.values()]),
          { "content-type": VERSIONS_MEDIA_TYPE },
        );
      },
    },
    {
      name: "an upload of another instance whose size is stated",
      repository: "",
      isLoose: true,
      async put(content) {
        const begun = await begin(content.length);
        return begun.status >= 300 ? begun : chunkOf(begun, content);
      },
    },
    {
      name: "an upload of another instance whose size is not stated",
      repository: "",
      isLoose: true,
      async put(content) {
        const begun = await begin(null);
        return begun.status >= 300 ? begun : chunkOf(begun, content);
      },
    },
  ];

  function chunkOf({ said }: DoorAnswer, content: Buffer): Promise<DoorAnswer> {
    const { id } = (JSON.parse(said) as { data: { id: string } }).data;
    return ask("PATCH", `${SYNC_PREFIX}/uploads/${id}`, content, {
      "upload-offset": "0",
    });
  }
}
