import { once } from "node:events";
import { connect, constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ensureSearchAttributes } from "../../temporal/attributes.ts";
import { clientConnection } from "../../temporal/connect.ts";
import { ATTRIBUTES } from "../../workflows/contract.ts";

/** gRPC's status code for a call that is not permitted. */
const PERMISSION_DENIED = "7";
const log = pino({ level: "silent" });

/** Starts a proxy to the tests' Temporal server that refuses every call to its OperatorService. */
async function startGuarded() {
  const upstream = connect(`http://${inject("temporalAddress")}`);
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    if (headers[constants.HTTP2_HEADER_PATH]?.includes("OperatorService")) {
      return stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": PERMISSION_DENIED,
        },
        { endStream: true },
      );
    }
    const passed = upstream.request({
      ...headers,
      ":authority": inject("temporalAddress"),
    });
    passed.on("error", () => stream.close());
    passed.on("response", (answer, flags) =>
      stream.respond(plain(answer), {
        endStream: (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0,
        waitForTrailers: true,
      }),
    );
    passed.on("trailers", (trailers) =>
      stream.once("wantTrailers", () => stream.sendTrailers(plain(trailers))),
    );
    stream.pipe(passed);
    passed.pipe(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      upstream.destroy();
      server.close();
    },
  };
}

const plain = (headers: object) => ({ ...headers }) as Record<string, string>;

let guarded: Awaited<ReturnType<typeof startGuarded>>;
let connection: ReturnType<typeof clientConnection>;
beforeAll(async () => {
  guarded = await startGuarded();
  connection = clientConnection({ temporalAddress: guarded.address });
});
afterAll(async () => {
  await connection?.close();
  guarded?.stop();
});

test("search attributes that exist are used even if the service may neither list nor create any", async () => {
  expect(
    await ensureSearchAttributes(connection, "default", Object.values(ATTRIBUTES), log),
  ).toBe(true);
});

test("search attributes that are missing and may not be created are not used", async () => {
  expect(
    await ensureSearchAttributes(
      connection,
      "default",
      [...Object.values(ATTRIBUTES), "ReplNothing"],
      log,
    ),
  ).toBe(false);
});
