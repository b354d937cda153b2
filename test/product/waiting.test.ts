import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, constants } from "node:http2";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  inject,
  onTestFinished,
  test,
} from "vitest";
import { clientConnection, watchTemporal } from "../../temporal/connect.ts";
import type { TemporalSettings } from "../../temporal/diagnosis.ts";
import { startInstance } from "../rigs/runs/instance.ts";
import { programOf, ROOT } from "../rigs/runs/program.ts";
import { createMachine, FOREIGN_TOKEN, makeToken } from "../rigs/runs/remote-worker.ts";
import { selfSigned } from "../rigs/servers/credentials.ts";

/** What a process waits for at its start says why it is waited for, and what to do. */

const folder = mkdtempSync(join(tmpdir(), "waiting-"));
const servers: Server[] = [];
const at = { http: "", https: "", refusing: "", nowhere: "", certificate: "" };

beforeAll(async () => {
  const { key, certificate } = selfSigned(folder);
  const tls = { key: readFileSync(key), cert: readFileSync(certificate) };
  at.certificate = certificate;
  at.http = await listening(createHttp((_, answer) => answer.end("<html>hello</html>")));
  at.https = await listening(createHttps(tls, (_, answer) => answer.end("hello")));
  const refusing = createHttp2();
  refusing.on("stream", (stream) =>
    stream.respond(
      {
        [constants.HTTP2_HEADER_STATUS]: 200,
        "content-type": "application/grpc",
        "grpc-status": "16",
        "grpc-message": "Jwt is expired",
      },
      { endStream: true },
    ),
  );
  at.refusing = await listening(refusing);
  at.nowhere = await listening(createServer());
  await new Promise((resolve) => servers.pop()?.close(resolve));
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function listening(server: Server): Promise<string> {
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Away = {
  what: string;
  settings: () => TemporalSettings;
  namespace?: string;
  en: string[];
  zh: string;
};

const AWAY: Away[] = [
  {
    what: "nothing listens",
    settings: () => ({ temporalAddress: at.nowhere }),
    en: ["nothing listens at 127.0.0.1", "start Temporal there", "TEMPORAL_ADDRESS"],
    zh: "没有服务在监听",
  },
  {
    what: "its name cannot be resolved",
    settings: () => ({ temporalAddress: "no.such.host.invalid:7233" }),
    en: ["no.such.host.invalid:7233 cannot be resolved", "TEMPORAL_ADDRESS", "DNS"],
    zh: "无法解析",
  },
  {
    what: "it has no TLS, which is wanted",
    settings: () => ({ temporalAddress: inject("temporalAddress"), temporalTls: {} }),
    en: ["does not speak TLS", "TEMPORAL_TLS=false"],
    zh: "不使用 TLS",
  },
  {
    what: "it has TLS, which is not wanted",
    settings: () => ({ temporalAddress: at.https }),
    en: ["expects TLS", "TEMPORAL_TLS=true"],
    zh: "要求 TLS",
  },
  {
    what: "its certificate is not trusted",
    settings: () => ({ temporalAddress: at.https, temporalTls: {} }),
    en: ["not signed by a trusted CA", "TEMPORAL_TLS_SERVER_CA_CERT_PATH"],
    zh: "受信任的 CA",
  },
  {
    what: "it is an HTTP server",
    settings: () => ({ temporalAddress: at.http }),
    en: ["another server, not Temporal", "7233", "TEMPORAL_ADDRESS"],
    zh: "不是 Temporal",
  },
  {
    what: "it is an HTTP server with TLS",
    settings: () => ({
      temporalAddress: at.https,
      temporalTls: { serverRootCACertificate: readFileSync(at.certificate) },
    }),
    en: ["another server, not Temporal", "TEMPORAL_ADDRESS"],
    zh: "不是 Temporal",
  },
  {
    what: "the namespace does not exist",
    settings: () => ({ temporalAddress: inject("temporalAddress") }),
    namespace: "no-such-namespace",
    en: ["has no namespace no-such-namespace", "create it", "TEMPORAL_NAMESPACE"],
    zh: "没有命名空间 no-such-namespace",
  },
  {
    what: "it refuses the API key",
    settings: () => ({ temporalAddress: at.refusing, temporalApiKey: "wrong" }),
    en: ["Jwt is expired", "TEMPORAL_API_KEY", "TEMPORAL_NAMESPACE"],
    zh: "拒绝访问",
  },
];

describe("a Temporal that does not answer", () => {
  test.concurrent.for(AWAY)(
    "the log says once why and what to do when $what",
    async ({ settings, namespace = "default", en, zh }, { expect }) => {
      const lines: string[] = [];
      const log = pino({}, { write: (line: string) => void lines.push(line) });
      const connection = clientConnection(settings());
      const watched = watchTemporal(connection, {
        asked: { settings: settings(), namespace, source: "setting" },
        log,
        onUp: async () => undefined,
        onChange: () => undefined,
      });
      await expect.poll(() => lines.length).toBe(1);
      for (const said of en) expect(lines[0]).toContain(said);
      expect(watched.problem()?.zh).toContain(zh);
      expect(watched.isUp()).toBe(false);
      watched.stop();
      await connection.close();
    },
  );

  test("a service with a wrong TEMPORAL_ADDRESS says so when it is asked whether it is ready", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const child = spawn(process.execPath, programOf("main"), {
      cwd: ROOT,
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        DATA_DIR: join(folder, "data"),
        PORT: String(port),
        TEMPORAL_ADDRESS: at.nowhere,
        TRANSFER_WORKERS: "1",
      },
      stdio: "ignore",
    });
    const ended = once(child, "exit");
    onTestFinished(async () => {
      child.kill("SIGTERM");
      await ended;
    });
    const reasons = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(
        () => null,
      );
      if (answer === null) return [];
      return ((await answer.json()) as { data: { reasons: unknown[] } }).data.reasons;
    };
    await expect.poll(reasons).toContainEqual({
      part: "temporal",
      reason: expect.stringContaining(`nothing listens at ${at.nowhere}`),
    });
  });
});

describe("a worker that waits for its control plane", () => {
  const machine = createMachine();
  afterAll(async () => {
    await machine.stop();
    machine.remove();
  });

  test.for<{ what: string; url: () => string; says: string[] }>([
    {
      what: "nothing listens",
      url: () => `http://${at.nowhere}`,
      says: ["nothing listens at http://127.0.0.1", "API_URL"],
    },
    {
      what: "its name cannot be resolved",
      url: () => "https://no.such.host.invalid",
      says: ["cannot be resolved", "API_URL"],
    },
    {
      what: "it has TLS and API_URL has http",
      url: () => `http://${at.https}`,
      says: ["expects TLS", "write https:// in API_URL"],
    },
    {
      what: "it has no TLS and API_URL has https",
      url: () => `https://${at.http}`,
      says: ["does not speak TLS", "write http:// in API_URL"],
    },
    {
      what: "its certificate is not trusted",
      url: () => `https://${at.https}`,
      says: ["certificate", "NODE_EXTRA_CA_CERTS"],
    },
    {
      what: "another server answers",
      url: () => `http://${at.http}`,
      says: ["does not sign as the control plane does", "API_URL"],
    },
  ])("the worker says why and what to do when $what", async ({ url, says }) => {
    const worker = machine.startWorker(url(), FOREIGN_TOKEN);
    await expect.poll(worker.output).toContain("Waiting for the control plane");
    for (const said of says) expect(worker.output()).toContain(said);
    expect(worker.output()).not.toMatch(/^\s+at /m);
  });
});

describe("a worker on another machine", () => {
  test("a worker says that it is ready and that its control plane went and came; an unknown token ends", async () => {
    const instance = await startInstance({
      env: { TRANSFER_WORKERS: "0" },
      neverReady: true,
    });
    const machine = createMachine();
    onTestFinished(async () => {
      await machine.stop();
      machine.remove();
      await instance.remove();
    });
    const wrong = machine.startWorker(instance.url, FOREIGN_TOKEN);
    const [code] = await wrong.ended;
    expect(code).toBe(1);
    expect(wrong.output()).toMatch(/WORKER_TOKEN is not a token of that instance.*\n$/);
    expect(wrong.output()).not.toMatch(/^\s+at /m);

    const worker = machine.startWorker(instance.url, await makeToken(instance), {
      LOG_FORMAT: "text",
      TRANSFER_WORKER: "2",
    });
    await expect.poll(worker.output).toContain(`Ready: takes work from ${instance.url}`);
    expect(worker.output()).toContain(
      "TRANSFER_WORKER is not a setting and has no effect; is TRANSFER_WORKERS meant?",
    );
    await instance.stop();
    await expect.poll(worker.output).toContain("The control plane went away");
    await instance.restart();
    await expect.poll(worker.output).toContain("answers again");
    expect(worker.output().split("went away")).toHaveLength(2);
  });
});
