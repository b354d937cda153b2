import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { diagnose } from "../../temporal/diagnosis.ts";
import { probe } from "../../temporal/probe.ts";

async function serverThat(answers: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    answers(socket);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

test("a port that cannot be used is a failed look", async () => {
  expect(await probe({ host: "127.0.0.1", port: 72_333 }, false)).toEqual({
    kind: "failed",
    code: "ERR_SOCKET_BAD_PORT",
  });
});

test("a server that answers a TLS handshake with other bytes does not speak TLS", async () => {
  const address = await serverThat((socket) =>
    socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
  );
  expect(await probe(address, {})).toEqual({ kind: "noTls" });
});

test("a server that resets a TLS handshake is not said to lack TLS", async () => {
  const address = await serverThat((socket) =>
    socket.on("data", () => socket.resetAndDestroy()),
  );
  expect(await probe(address, {})).toEqual({ kind: "failed", code: "ECONNRESET" });
});

test("a server that leaves a TLS handshake unanswered is open, and stays so whatever the details", async () => {
  const { host, port } = await serverThat((socket) => socket.resume());
  const asked = {
    settings: { temporalAddress: `${host}:${port}`, temporalTls: true },
    namespace: "default",
    source: "setting",
  } as const;
  const [first, second] = await Promise.all(
    ["after 2.001s", "after 2.002s"].map((details) =>
      diagnose({ code: 4, details }, asked),
    ),
  );
  expect(first?.reason.en).toContain("accepts connections but does not answer");
  expect([first?.kind, second?.kind]).toEqual(["open", "open"]);
});
