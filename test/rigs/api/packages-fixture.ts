import { publication } from "../servers/npm-publication.ts";
import { makeImage, pushImage, type TestManifest } from "../servers/images.ts";

type Login = { url: string; authorization: string };

export const pom = (packageName: string, version: string, packaging = "jar") => {
  const [group = "", artifact = ""] = packageName.split(":");
  const coordinates = `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>`;
  return `<project><modelVersion>4.0.0</modelVersion>${coordinates}<packaging>${packaging}</packaging></project>`;
};

export const mavenPath = (packageName: string, version: string, end: string) => {
  const [group = "", artifact = ""] = packageName.split(":");
  return `/${group.replaceAll(".", "/")}/${artifact}/${version}/${artifact}-${version}${end}`;
};

/**
 * Returns functions that publish packages to hosted repositories by plain HTTP, as Maven and npm do.
 * `repo`: `{projectId}/{repoName}`.
 */
export function createFiller({ url, authorization }: Login) {
  async function put(
    path: string,
    body: string | Uint8Array,
    contentType: string,
  ): Promise<void> {
    const answer = await fetch(url + path, {
      method: "PUT",
      headers: { authorization, "content-type": contentType },
      body: new Uint8Array(Buffer.from(body)),
    });
    if (!answer.ok)
      throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`);
  }
  const file = (repo: string, path: string, content: string | Uint8Array) =>
    put(`/maven/${repo}${path}`, content, "application/octet-stream");

  return {
    file,
    /** Deploys a POM and a jar, or `files`, whose keys are file names without artifact and version. */
    async deploy(
      repo: string,
      packageName: string,
      version: string,
      files: Record<string, string | Uint8Array> = {
        ".jar": `jar of ${packageName} ${version}`,
        ".pom": pom(packageName, version),
      },
    ): Promise<void> {
      for (const [end, content] of Object.entries(files))
        await file(repo, mavenPath(packageName, version, end), content);
    },
    publish: (
      repo: string,
      name: string,
      version: string,
      options: Parameters<typeof publication>[3] & {
        content?: string;
        tarball?: Buffer;
      } = {},
    ) =>
      put(
        `/npm/${repo}/${name.replace("/", "%2f")}`,
        JSON.stringify(
          publication(
            name,
            version,
            options.tarball ??
              Buffer.from(options.content ?? `tarball of ${name} ${version}`),
            options,
          ),
        ),
        "application/json",
      ),
    async push(
      repo: string,
      image: string,
      tag: string | null,
      content: TestManifest = makeImage(),
    ): Promise<TestManifest> {
      await pushImage(url, `${repo}/${image}`, tag, content, { authorization });
      return content;
    },
  };
}
