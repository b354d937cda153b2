import { text, type Text } from "../../domain/text.ts";

/** A reason that comes from elsewhere (another end, a registry, a library, a TransferError): it is not translated. */
export const quoted = (message: string): Text => text(message, `原文：${message}`);
