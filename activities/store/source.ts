import type { ContentSource } from "./content-source.ts";
import { openInlineReader } from "./inline.ts";
import type { Layout } from "./layout.ts";
import { createLocalSource } from "./local-source.ts";
import {
  createRemoteSource,
  type InternalCall,
  suspectContent,
} from "./remote-source.ts";

/**
 * Creates a worker's access to hosted content: reads the disk if the worker runs on the machine of the
 * control plane (`local`), and uses the internal API otherwise.
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
  return {
    open,
    readSmall,
    suspect: (sha256) => suspectContent(call, sha256),
    close: async () => inline.close(),
  };
}
