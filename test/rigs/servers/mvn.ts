import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CACHE_DIR, findTool, type Tool } from "./tools.ts";

const MVN: Tool = {
  name: "mvn",
  version: "3.8",
  onPath: {
    command: "mvn",
    versionArgs: ["--version"],
    matches: /Apache Maven 3\.(?:[89]|\d\d)/,
  },
  apt: { packages: ["maven"], command: "mvn" },
  cost: "300 MB with its Java, up to a minute",
};

const DEPLOY = "org.apache.maven.plugins:maven-deploy-plugin:3.1.4";
const DEPENDENCY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
/** Folder of Maven's plugins, which are kept between test runs; artifacts under test never are. */
const PLUGINS = join(CACHE_DIR, "mvn-plugins");

export type Mvn = Awaited<ReturnType<typeof mvnClient>>;

/**
 * Returns Maven with a login for repositories at `url`; null, with a message, if Maven or its plugins
 * are not available. `group`: the only group under test.
 */
export async function mvnClient({
  url,
  username,
  password,
  group,
}: {
  url: string;
  username: string;
  password: string;
  group: string;
}) {
  const command = await findTool(MVN);
  if (command === null) return null;
  const home = mkdtempSync(join(tmpdir(), "mvn-"));
  const settings = join(home, "settings.xml");
  writeFileSync(
    settings,
    "<settings><servers><server><id>hosted</id>" +
      `<username>${username}</username><password>${password}</password></server></servers></settings>`,
  );

  // The settings are global ones, because the user's own settings decide where plugins come from. -C: a
  // wrong checksum fails the build.
  const run = (
    goal: string,
    options: Record<string, string>,
    { cwd = home, repository = PLUGINS } = {},
  ) =>
    new Promise<string>((resolve, reject) => {
      const args = [
        "-B",
        "-U",
        "-C",
        "-gs",
        settings,
        `-Dmaven.repo.local=${repository}`,
        goal,
        ...Object.entries(options).map(([name, value]) => `-D${name}=${value}`),
      ];
      execFile(
        command,
        args,
        { cwd, maxBuffer: 16 * 1024 * 1024 },
        (error, out, errors) =>
          error ? reject(new Error(`${out}\n${errors}`)) : resolve(out),
      );
    });

  for (const plugin of [DEPLOY, DEPENDENCY]) {
    const had = await run(`${plugin}:help`, {}).catch((error: unknown) => error);
    if (typeof had === "string") continue;
    if (process.env["CI"] === "true") throw had;
    console.warn(
      `SKIPPED: tests that need ${plugin}, which is not available on this machine`,
    );
    return null;
  }
  const forget = () =>
    rmSync(join(PLUGINS, ...group.split(".")), { recursive: true, force: true });
  const build = (goal: string, files: Record<string, string>): Promise<string> => {
    const cwd = mkdtempSync(join(home, "build-"));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(cwd, name, ".."), { recursive: true });
      writeFileSync(join(cwd, name), text);
    }
    return run(goal, {}, { cwd });
  };
  return {
    home,
    /** Writes a file on the client's side and returns its path. */
    file(name: string, content: string | Buffer): string {
      writeFileSync(join(home, name), content);
      return join(home, name);
    },
    /** Runs deploy:deploy-file, which creates the POM unless the options say otherwise. */
    deploy: (options: Record<string, string>) =>
      run(`${DEPLOY}:deploy-file`, {
        url,
        repositoryId: "hosted",
        groupId: group,
        packaging: "jar",
        ...options,
      }),
    /** Runs dependency:get into a local repository that has nothing of the group; returns the group's folder in it. */
    async resolve(coordinates: string): Promise<string> {
      forget();
      await run(`${DEPENDENCY}:get`, {
        artifact: `${group}:${coordinates}`,
        remoteRepositories: `hosted::default::${url}`,
        transitive: "true",
      });
      return join(PLUGINS, ...group.split("."));
    },
    /** Resolves the jars of each `artifact:version` in one run, without cached ones; returns their folder. */
    async resolveAll(artifacts: string[]): Promise<string> {
      forget();
      const folder = mkdtempSync(join(home, "resolved-"));
      const dependencies = artifacts
        .map((each) => each.split(":"))
        .map(
          ([artifact, version]) =>
            `<dependency><groupId>${group}</groupId>` +
            `<artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
        );
      const project = `<project><modelVersion>4.0.0</modelVersion>
        <groupId>resolving</groupId><artifactId>all</artifactId><version>1</version>
        <properties><outputDirectory>${folder}</outputDirectory></properties>
        <repositories><repository><id>hosted</id><url>${url}</url></repository></repositories>
        <dependencies>${dependencies.join("")}</dependencies></project>`;
      await build(`${DEPENDENCY}:copy-dependencies`, { "pom.xml": project });
      return folder;
    },
    /** Runs any goal in a folder with these files. */
    build,
    close(): void {
      forget();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
