import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathOf, publication, type Publishing } from "./npm-publication.ts";

type NpmLogin = { username: string; password: string } | { token: string };
export type NpmClient = ReturnType<typeof npmClient>;

/**
 * Creates an npm program with its own configuration for one registry. `run` resolves with the output,
 * or rejects with it.
 */
export function npmClient(registry: string, login: NpmLogin) {
  const home = mkdtempSync(join(tmpdir(), "npm-client-"));
  const config = join(home, ".npmrc");
  const settings = [
    "audit=true",
    "fund=false",
    "update-notifier=false",
    "fetch-retries=0",
    `cache=${join(home, "cache")}`,
  ];
  writeFileSync(
    config,
    [
      `registry=${registry}/`,
      `${registry.replace(/^https?:/, "")}/:${credentials(login)}`,
      ...settings,
      "",
    ].join("\n"),
  );
  // A test run started by npm has npm's settings in its environment, which would override the
  // configuration file.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const env = { ...Object.fromEntries(inherited), npm_config_userconfig: config };
  const run = (folder: string, ...args: string[]) =>
    new Promise<string>((resolve, reject) => {
      const options = { cwd: join(home, folder), env, maxBuffer: 16 * 1024 * 1024 };
      const child = execFile("npm", args, options, (error, out, errors) =>
        error ? reject(new Error(`${out}\n${errors}`)) : resolve(out),
      );
      child.stdin?.end();
    });

  return {
    home,
    run,
    /** Creates a folder with a package.json and these files, and returns its name. */
    folder(name: string, manifest: object, files: Record<string, string> = {}): string {
      mkdirSync(join(home, name), { recursive: true });
      for (const [file, text] of Object.entries({
        "package.json": JSON.stringify(manifest),
        ...files,
      }))
        writeFileSync(join(home, name, file), text);
      return name;
    },
    /** Publishes an existing tarball with `npm publish`. */
    async publishTarball(tarball: Uint8Array, ...args: string[]): Promise<void> {
      const folder = mkdtempSync(join(home, "publish-"));
      writeFileSync(join(folder, "package.tgz"), tarball);
      await run(".", "publish", join(folder, "package.tgz"), ...args);
    },
    /** Sends the request of `npm publish` without starting npm. */
    async put(
      name: string,
      version: string,
      tarball: Uint8Array,
      publishing: Publishing = {},
    ): Promise<void> {
      const headers = {
        "content-type": "application/json",
        authorization: authorizationOf(login),
      };
      const body = JSON.stringify(publication(name, version, tarball, publishing));
      const answer = await fetch(`${registry}${pathOf(name)}`, {
        method: "PUT",
        headers,
        body,
      });
      if (!answer.ok)
        throw new Error(`PUT ${name}: ${answer.status} ${await answer.text()}`);
    },
    /**
     * Returns the tarball of `name@version`, fetched by `npm pack` with an empty cache; null if npm
     * reports that it does not exist.
     */
    async fetchTarball(what: string): Promise<Buffer | null> {
      const folder = mkdtempSync(join(home, "fetch-"));
      const packed = run(
        ".",
        "pack",
        what,
        "--json",
        "--pack-destination",
        folder,
        "--cache",
        join(folder, "cache"),
      );
      const said = await packed.catch((error: unknown) => {
        if (error instanceof Error && /E404|ETARGET/.test(error.message)) return null;
        throw error;
      });
      return said === null ? null : readFileSync(join(folder, nameOf(said)));
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

const authorizationOf = (login: NpmLogin): string =>
  "token" in login ? `Bearer ${login.token}` : `Basic ${basic(login)}`;
const basic = ({ username, password }: { username: string; password: string }): string =>
  Buffer.from(`${username}:${password}`).toString("base64");

function credentials(login: NpmLogin): string {
  if ("token" in login) return `_authToken=${login.token}`;
  return `_auth=${basic(login)}`;
}

/**
 * Returns the file name in the output of `npm pack --json`: npm 12 prints an object with the packages
 * by name, older versions a list.
 */
function nameOf(said: string): string {
  const [packed] = Object.values(
    JSON.parse(said) as Record<string, { filename?: unknown }>,
  );
  if (typeof packed?.filename !== "string")
    throw new Error(`npm pack --json printed no file name: ${said}`);
  return packed.filename.replace("@", "").replace("/", "-");
}
