import type { ContentSource } from "./content-source.ts";
import { openInlineReader } from "./inline.ts";
import type { Layout } from "./layout.ts";
import { createLocalSource } from "./local-source.ts";
import { createRemoteSource, type InternalCall } from "./remote-source.ts";

/**
 * Opens a worker's way to hosted content: from the disk where the worker runs beside the control plane (`local`),
 * otherwise through the internal API.
 */
export function createContentSource({
  local,
  call,
}: {
  local: Layout | null;
  call: InternalCall;
}): ContentSource {
  if (!local) return createRemoteSource(call);
  const inline = openInlineReader(local.inlineFile);
  const { open, readSmall } = createLocalSource(local, inline);
  return { open, readSmall, close: async () => inline.close() };
}
