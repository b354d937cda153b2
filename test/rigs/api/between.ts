import { createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export type Passed = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
};
export type Told = { status: number; headers: IncomingHttpHeaders; body: Buffer };

/**
 * Starts a server between a worker and the control plane at `target` that reads and may change everything:
 * `change.request` what it passes on, `change.answer` what the worker hears.
 */
export async function startBetween(target: string) {
  const change: {
    request: (passed: Passed) => Passed;
    answer: (told: Told, asked: Passed) => Told;
  } = { request: (passed) => passed, answer: (told) => told };
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const { method = "", url = "", headers } = incoming;
      const asked = { method, path: url, headers, body: await buffer(incoming) };
      const told = change.answer(await ask(target, change.request(asked)), asked);
      outgoing.writeHead(told.status, {
        ...told.headers,
        "content-length": told.body.length,
      });
      outgoing.end(told.body);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    change,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends a request as it is, and reads the whole answer. */
export function ask(
  target: string,
  { method, path, headers, body }: Passed,
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const { host: _host, ...rest } = headers;
    const sent = { ...rest, "content-length": String(body.length) };
    request(target + path, { method, headers: sent, agent: false }, (answer) => {
      buffer(answer).then((whole) => {
        const { "transfer-encoding": _coding, ...kept } = answer.headers;
        resolve({ status: answer.statusCode ?? 0, headers: kept, body: whole });
      }, reject);
    })
      .on("error", reject)
      .end(body);
  });
}
