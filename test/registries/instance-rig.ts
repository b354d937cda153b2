import { randomBytes } from "node:crypto";
import type { Connector } from "../../activities/registries/contract.ts";
import { encodePath } from "../rigs/api/encode-path.ts";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { md5, sha256 } from "../rigs/api/content-fixture.ts";
import {
  type Instance,
  REMOTE,
  startInstance,
} from "../rigs/transfer/instance-fixture.ts";
import { DATES as ORIGIN } from "../rigs/transfer/package-copy-fixture.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import { LOGIN } from "../rigs/api/socket-fixture.ts";
import type { RealEnd, Rig, Sample, Wanted } from "./conformance/rig.ts";
import { plainEnd } from "./conformance/writing.ts";

/**
 * How an instance answers. `bare`: failure kinds of statuses without the JSON envelope; `sayings`:
 * bodies with a text, in a refusal and wherever an instance repeats a text that it received.
 */
export const INSTANCE_WORDS: Pick<Rig, "bare" | "sayings"> = {
  // A server that sends these statuses without an envelope is another product.
  bare: { 400: "unsupported", 404: "unsupported", 409: "unsupported" },
  sayings(message) {
    const refused = [{ result: "refused", code: 251_000, message }];
    const data = {
      product: message,
      version: 1,
      name: message,
      files: refused,
      versions: refused,
      damaged: [],
    };
    return [
      { code: 251_000, message, data: null },
      { code: 0, message, data },
    ].map((answer) => JSON.stringify(answer));
  },
};

/** Starts another instance; its GENERIC repository is filled and read by plain HTTP. */
export async function instanceRig(connector: Connector): Promise<Rig> {
  const instance = await startInstance();
  const proxy = await startProxy(instance.url);
  const real = realEnd(instance, proxy);
  const { projectId, repoName: name } = REMOTE;
  await instance.api.call("POST", "/repository/api/project/create", {
    body: { name: projectId, displayName: "Copies" },
  });
  await instance.api.call("POST", "/repository/api/repo/create", {
    body: { projectId, name, type: "GENERIC" },
  });
  // An empty repository would need fewer requests.
  await real.fill(sample());
  return {
    connector,
    type: "GENERIC",
    from: real,
    to: real,
    sample,
    named: (names) => ({ packages: [], paths: names.map((path) => ({ path })) }),
    lies: [],
    ...INSTANCE_WORDS,
    large: () => sample().artifact,
    takes: { status: 200, body: "" },
    async close() {
      await proxy.stop();
      await instance.stop();
      instance.remove();
    },
  };
}

function realEnd(instance: Instance, proxy: FaultProxy): RealEnd {
  const ask = async (method: string, path: string, body?: Buffer): Promise<void> => {
    const address = `${instance.url}/generic/${REMOTE.projectId}/${REMOTE.repoName}${encodePath(path)}`;
    const sent = body && { body: new Uint8Array(body) };
    const answer = await fetch(address, {
      method,
      headers: { authorization: LOGIN },
      ...sent,
    });
    if (!answer.ok)
      throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  const namespace = `${REMOTE.projectId}/${REMOTE.repoName}`;
  return {
    proxy,
    end: (changes = {}) => plainEnd(proxy.url, { namespace, ...ADMIN, ...changes }),
    async fill({ contents }) {
      for (const [path, bytes] of contents) await ask("PUT", path, bytes);
    },
    async read({ artifact: { name } }) {
      const bytes = await instance.fetchFile(name);
      return bytes === null ? null : new Map([[name, bytes]]);
    },
    remove: ({ artifact: { name } }) => ask("DELETE", name),
  };
}

/** Makes a file; its path is its name. */
function sample({ size = 1_000, instead }: Wanted = {}): Sample {
  const name =
    instead?.artifact.name ?? `/conformance/sample ${randomBytes(6).toString("hex")}.bin`;
  const bytes = randomBytes(size);
  const digests = { sha256: sha256(bytes), md5: md5(bytes) };
  const part = { path: name, size, digests, metadata: {}, origin: ORIGIN };
  const digest = `sha256:${digests.sha256}`;
  const artifact = {
    name,
    version: "",
    parts: [part],
    digest,
    document: null,
    tags: [],
    origin: ORIGIN,
  };
  return { artifact, contents: new Map([[name, bytes]]) };
}
