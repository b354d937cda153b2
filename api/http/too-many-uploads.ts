import { text } from "../../domain/text.ts";
import { ApiError } from "./errors.ts";

const RETRY_AFTER_S = 60;
const WHY = text(
  "too many uploads are open: end or abort some of them, and try again after Retry-After seconds. Those that get no " +
    "bytes for an hour make room for others",
  "打开的上传过多：请完成或中止其中一些，并在 Retry-After 秒后重试。一小时没有收到数据的上传会让位给其他上传",
);

/** Returns the id of an upload session that was opened; throws 429 / 250124 if none could be (null). */
export function openedOr429(id: string | null): string {
  if (id !== null) return id;
  throw new ApiError([250124, WHY], {
    headers: { "retry-after": String(RETRY_AFTER_S) },
  });
}
