import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createHttpClient, type HttpOptions } from "../../activities/registries/http.ts";
import type { HttpRequest } from "../../activities/registries/http-message.ts";

export const servers: Server[] = [];

export const closeServers = (): void =>
  servers.splice(0).forEach((server) => server.close().closeAllConnections());

/** Starts a server and returns its address; `closeServers` ends all servers. */
export async function serve(
  listener: RequestListener,
  host = "127.0.0.1",
): Promise<string> {
  const server = createServer(listener).listen(0, host);
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  return `http://${host}:${typeof address === "object" ? address?.port : 0}`;
}

/** Sends one request with a client of its own and reads the answer. */
export async function ask(
  url: string,
  request: Partial<HttpRequest> = {},
  options: HttpOptions = {},
): Promise<{ status: number; text: string; url: string }> {
  const client = createHttpClient({ connectTimeoutMs: 2_000, ...options });
  try {
    const response = await client.request({
      method: "GET",
      url: new URL(url),
      what: "the thing",
      ...request,
    });
    return {
      status: response.status,
      url: response.url.href,
      text: (await response.bytes(1_000_000)).toString(),
    };
  } finally {
    await client.close();
  }
}
