import { once } from "node:events";
import { createServer } from "node:http";

/** Starts a server to which ends redirect. It belongs to nobody, so nobody may send it a login. */
export async function startElsewhere(): Promise<{
  url: string;
  logins: string[];
  stop: () => Promise<void>;
}> {
  const logins: string[] = [];
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    if (authorization !== undefined)
      logins.push(`${request.method} ${request.url}: ${authorization.slice(0, 12)}…`);
    request.resume();
    response.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    logins,
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
