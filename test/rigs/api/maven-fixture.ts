import { eq } from "drizzle-orm";
import type { ApiDeps } from "../../../api/deps.ts";
import { event } from "../../../db/schema/content.ts";
import { packages, version } from "../../../db/schema/packages.ts";
import { addFollower } from "../db/rows.ts";
import { send, startApi } from "./socket-fixture.ts";

export type MavenServer = Awaited<ReturnType<typeof startMaven>>;

/** Starts the API on a socket, with a hosted MAVEN repository demo/maven. */
export async function startMaven(overrides: Partial<ApiDeps> = {}, directory?: string) {
  const api = await startApi(overrides, directory);
  const made = await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name: "maven", type: "MAVEN" },
  });
  if (made.code !== 0) throw new Error(made.text);
  addFollower(api.db, "demo");
  const base = "/maven/demo/maven";
  const bytes = (body: string | Buffer) =>
    typeof body === "string" ? Buffer.from(body) : body;
  return {
    ...api,
    base,
    put(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
      const content = bytes(body);
      return send(
        api.port,
        "PUT",
        `${base}${path}`,
        { "content-length": content.length, ...headers },
        [content],
      );
    },
    get: (path: string, headers: Record<string, string> = {}) =>
      send(api.port, "GET", `${base}${path}`, headers),
    head: (path: string) => send(api.port, "HEAD", `${base}${path}`),
    remove: (path: string) => send(api.port, "DELETE", `${base}${path}`),
    async text(path: string): Promise<string> {
      const { status, body } = await send(api.port, "GET", `${base}${path}`);
      return status === 200 ? body.toString("utf8") : `${status}`;
    },
    /** Lists all versions as `group:artifact version complete`, or `lacking` for an incomplete one. */
    versions: () =>
      api.db
        .select({
          pack: packages.name,
          version: version.name,
          complete: version.complete,
        })
        .from(version)
        .innerJoin(packages, eq(packages.id, version.packageId))
        .all()
        .map(
          (row) => `${row.pack} ${row.version} ${row.complete ? "complete" : "lacking"}`,
        )
        .sort(),
    /** Returns the event log in order, as REAL_TIME tasks read it. */
    told: () =>
      api.db
        .select()
        .from(event)
        .orderBy(event.seq)
        .all()
        .map(({ kind, subject, version: name }) =>
          [kind, subject, ...(name === null ? [] : [name])].join(" "),
        ),
  };
}

export const pom = (artifact: string, version: string, packaging?: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n` +
  `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>` +
  `<groupId>org.example</groupId><artifactId>${artifact}</artifactId><version>${version}</version>` +
  `${packaging === undefined ? "" : `<packaging>${packaging}</packaging>`}</project>\n`;

/** Returns the text of each XML element with this name. */
export const elements = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(
    ([, text]) => text ?? "",
  );
