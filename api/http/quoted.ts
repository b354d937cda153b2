import { text, type Text } from "../../domain/text.ts";

/**
 * Quotes a reason that comes from elsewhere (another end, a registry, a library, a TransferError)
 * without translating it.
 */
export const quoted = (message: string): Text => text(message, `原文：${message}`);
