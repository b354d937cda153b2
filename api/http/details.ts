import { anyOf, text, type Text } from "../../domain/text.ts";

/** Sentence for a body that is longer than the accepted number of bytes. */
export const tooLong = (bytes: number): Text =>
  text(
    `the body is larger than the ${bytes} bytes that are accepted: send a smaller one`,
    `请求体超过允许的 ${bytes} 字节：请减小请求体`,
  );

/** Sentence for a JSON body that is longer than the setting MAX_JSON_BODY allows. */
export const tooLongJson = (bytes: number): Text =>
  text(
    `the body is larger than ${bytes} bytes (setting MAX_JSON_BODY): send a smaller one`,
    `请求体超过 ${bytes} 字节（设置 MAX_JSON_BODY）：请减小请求体`,
  );

/** Sentence that says which media type a body must have. */
export const sendAs = (mediaType: string): Text =>
  text(`send Content-Type: ${mediaType}`, `请发送 Content-Type: ${mediaType}`);

/** Sentence for a request to delete the root of a repository as if it were a folder. */
export const NAME_ONE = text(
  "name a file or folder; delete the repository to delete everything",
  "请指定文件或目录；要删除全部内容，请删除仓库",
);

/** Sentence for a body that is not valid JSON. The English is hono's. */
export const MALFORMED = text("Malformed JSON in request body", "请求体不是合法的 JSON");

/**
 * Lists names for a message: at most `most` of them. If there are more, the English adds how many
 * are left out, the Chinese how many there are in all.
 */
export function listed(names: readonly string[], most: number): Text {
  const shown = names.slice(0, most).join(", ");
  const more = names.length - most;
  return more > 0
    ? text(`${shown} and ${more} more`, `${shown} 等 ${names.length} 个`)
    : text(shown, shown);
}

/** Sentence for a method that a path does not have. */
export function notOffered(method: string, allowed: readonly string[]): Text {
  const { en, zh } = anyOf(allowed);
  return text(
    `${method} is not supported here: use ${en}`,
    `此处不支持 ${method}：请使用 ${zh}`,
  );
}
