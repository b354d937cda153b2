import { chineseOf } from "../../domain/chinese/reason.ts";
import { text, type Text } from "../../domain/text.ts";

/**
 * Quotes a reason that is known in English only (of another end, a registry, a library, a TransferError). In Chinese,
 * our own sentences are translated and foreign words are quoted.
 */
export const quoted = (message: string): Text => text(message, chineseOf(message));
