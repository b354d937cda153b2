import { randomBytes } from "node:crypto";
import type { Connector } from "../../activities/registries/contract.ts";
import { encodePath } from "../../domain/path.ts";
import { ADMIN } from "../api-fixture.ts";
import { md5, sha256 } from "../content-fixture.ts";
import { startInstance, type Instance, REMOTE } from "../instance-fixture.ts";
import { startProxy, type FaultProxy } from "../servers/proxy.ts";
import { LOGIN } from "../socket-fixture.ts";
import type { RealEnd, Rig, Sample, Wanted } from "./conformance/rig.ts";
import { plainEnd } from "./conformance/writing.ts";

const ORIGIN = { createdBy: "ann", createdDate: Date.UTC(2024, 0, 2), lastModifiedBy: "ben", lastModifiedDate: Date.UTC(2025, 3, 4) };

/** How an instance says something itself, by its envelope: as its refusal, and where it shows what it is told. */
export const INSTANCE_WORDS: Pick<Rig, "bare" | "sayings"> = {
  // Whoever answers so without an envelope is another product.
  bare: { 400: "unsupported", 404: "unsupported", 409: "unsupported" },
  sayings(message) {
    const refused = [{ result: "refused", code: 251_000, message }];
    const capabilities = { product: message, version: 1, name: message };
    return [{ code: 251_000, message, data: null }, { code: 0, message, data: { ...capabilities, files: refused, versions: refused, damaged: [] } }].map((answer) => JSON.stringify(answer));
  },
};

/** Another instance whose GENERIC repository is filled and read by plain HTTP. */
export async function instanceRig(connector: Connector): Promise<Rig> {
  const instance = await startInstance();
  const proxy = await startProxy(instance.url);
  const real = realEnd(instance, proxy);
  await instance.api.call("POST", "/repository/api/project/create", { body: { name: REMOTE.projectId, displayName: "Copies" } });
  await instance.api.call("POST", "/repository/api/repo/create", { body: { projectId: REMOTE.projectId, name: REMOTE.repoName, type: "GENERIC" } });
  // A repository that has nothing is spoken to in fewer requests.
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
    const answer = await fetch(address, { method, headers: { authorization: LOGIN }, ...(body && { body: new Uint8Array(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  return {
    proxy,
    end: (changes = {}) => plainEnd(proxy.url, { namespace: `${REMOTE.projectId}/${REMOTE.repoName}`, ...ADMIN, ...changes }),
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

/** A file, whose path is its name. */
export function sample({ size = 1_000, instead }: Wanted = {}): Sample {
  const name = instead?.artifact.name ?? `/conformance/sample ${randomBytes(6).toString("hex")}.bin`;
  const bytes = randomBytes(size);
  const digests = { sha256: sha256(bytes), md5: md5(bytes) };
  const part = { path: name, size, digests, metadata: {}, origin: ORIGIN };
  const artifact = { name, version: "", parts: [part], digest: `sha256:${digests.sha256}`, document: null, tags: [], origin: ORIGIN };
  return { artifact, contents: new Map([[name, bytes]]) };
}
