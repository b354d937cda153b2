/** The errors of requests that the server does not pass on. */

import { type IncomingMessage, maxHeaderSize } from "node:http";
import { RequestError } from "@hono/node-server";
import { text, type Text } from "../../domain/text.ts";
import { ApiError } from "./errors.ts";
import { quoted } from "./quoted.ts";

export function refusal(
  { en, zh }: Text,
  status: 400 | 408 | 413 | 417 | 431 = 400,
): ApiError {
  const why = text(`the request cannot be read: ${en}`, `无法读取请求：${zh}`);
  return new ApiError([250106, why], { status });
}
export const NO_TUNNEL = new ApiError(
  [
    250112,
    text(
      "CONNECT is not supported: this server is not a proxy, request its addresses directly",
      "不支持 CONNECT：此服务器不是代理，请直接请求其地址",
    ),
  ],
  { status: 405 },
);
export const WITHOUT_TLS = new ApiError(
  [
    250106,
    text(
      "this port speaks HTTPS only: begin the address with https://",
      "此端口只支持 HTTPS：地址请以 https:// 开头",
    ),
  ],
  { status: 400, headers: { connection: "close" } },
);
export const unmet = ({ headers: { expect } }: IncomingMessage) =>
  refusal(
    text(
      `Expect: ${expect} cannot be met, only 100-continue can`,
      `不支持 Expect: ${expect}，仅支持 100-continue`,
    ),
    417,
  );
export const unexpected = (error: unknown) =>
  error instanceof RequestError
    ? refusal(quoted(error.message))
    : new ApiError([250102], { cause: error });

/**
 * Returns the error for a request on which Node's parser gave up: the request is not HTTP, is too
 * long, or did not arrive in time.
 */
export function unread(error: Error & { code?: string; reason?: string }): ApiError {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return refusal(
        text(
          `its address and headers are longer than ${maxHeaderSize} bytes: shorten them`,
          `请求地址和请求头超过 ${maxHeaderSize} 字节：请缩短`,
        ),
        431,
      );
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return refusal(
        text(
          "the extensions of a chunk are too long: send chunks without extensions",
          "分块的扩展过长：请不要使用分块扩展",
        ),
        413,
      );
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refusal(
        text(
          "its headers did not arrive in time: send the request again",
          "请求头未按时到达：请重新发送请求",
        ),
        408,
      );
    case "HPE_INVALID_URL":
      return refusal(
        text(
          "its address has characters that must be percent-encoded, as all but letters, digits and -._~ can be",
          "请求地址含有必须百分号编码的字符（字母、数字和 -._~ 以外的字符都可以编码）",
        ),
      );
    default: {
      const { en, zh } = quoted(error.reason ?? error.message);
      return refusal(text(`it is not HTTP/1.1: ${en}`, `不是 HTTP/1.1：${zh}`));
    }
  }
}

export function beginningOf(error: Error & { rawPacket?: Buffer }): string {
  return error.rawPacket?.toString("latin1", 0, 200) ?? "";
}
