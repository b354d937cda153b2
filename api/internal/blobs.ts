import { Hono } from "hono";
import { DIGEST_HEADER } from "../../activities/secrets/internal.ts";
import { isSha256 } from "../../activities/store/layout.ts";
import { pack } from "../../activities/store/remote-source.ts";
import { TransferError } from "../../domain/failure.ts";
import { type ContentDeps, noteDamage } from "../content/damage.ts";
import { examineContent } from "../content/examine.ts";
import { toWebStream } from "../content/read.ts";
import { parseRange } from "../http/byte-range.ts";

/** Maximum number of digests in one request; their contents are small. */
const MOST_DIGESTS = 256;
const BYTES = { "content-type": "application/octet-stream" };
const NOT_A_DIGEST = "not a sha256 digest in lower-case hex";

/** Serves content to workers that do not run beside the store; mounted at BLOBS_PATH, behind the internal signature. */
export function blobRoutes(deps: ContentDeps): Hono {
  const { store } = deps;
  return new Hono()
    .post("/", async (c) => {
      const { digests } = await c.req.json<{ digests: unknown }>();
      if (!Array.isArray(digests) || digests.length > MOST_DIGESTS)
        return c.text(`digests must be a list of at most ${MOST_DIGESTS}`, 400);
      const contents = pack(await store.readSmall(digests.map(String)));
      return c.body(new Uint8Array(contents), 200, BYTES);
    })
    .get("/:sha256", async (c) => {
      const sha256 = c.req.param("sha256");
      if (!isSha256(sha256)) return c.text(NOT_A_DIGEST, 400);
      try {
        const header = c.req.header("range");
        const range =
          header === undefined ? undefined : parseRange(header, Number.MAX_SAFE_INTEGER);
        const { size, chunks } = await store.openToSend(
          sha256,
          typeof range === "object" ? range : undefined,
        );
        return c.body(toWebStream(deps, chunks), typeof range === "object" ? 206 : 200, {
          ...BYTES,
          "x-content-size": String(size),
          // The reader of the stream verifies it.
          [DIGEST_HEADER]: sha256,
        });
      } catch (error) {
        noteDamage(deps, error);
        if (error instanceof TransferError && error.kind === "notFound")
          return c.text(error.message, 404);
        throw error;
      }
    })
    .post("/:sha256/suspect", async (c) => {
      const sha256 = c.req.param("sha256");
      if (!isSha256(sha256)) return c.text(NOT_A_DIGEST, 400);
      return c.json({ right: await examineContent(deps, sha256) });
    });
}
