import {
  endpointText,
  EndpointUrlError,
  parseEndpointUrl,
} from "../../domain/endpoint-url.ts";
import { TransferError } from "../../domain/failure.ts";
import { parseProtocolUrl } from "../../domain/registry-url.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import type { ApiDeps } from "../deps.ts";
import { fail } from "./errors.ts";
import { quoted } from "./quoted.ts";

type Deps = Pick<ApiDeps, "checkHost">;

/** The url of another instance as it is stored; 250105 with the field and the reason where it is not valid. */
export function checkInstanceUrl(
  { checkHost }: Deps,
  text: string,
  field: string,
): string {
  return refusing(field, () => {
    const url = parseEndpointUrl(text);
    checkHost(url.hostname);
    return endpointText(url);
  });
}

/** The url of a registry as it is stored, in the form of its protocol; `protocol` null: by scheme and type. */
export function checkRegistryUrl(
  { checkHost }: Deps,
  text: string,
  protocol: Protocol | null,
  field: string,
): string {
  return refusing(field, () => {
    const { text: kept, host } = parseProtocolUrl(text, protocol);
    if (host !== null) checkHost(host);
    return kept;
  });
}

function refusing(field: string, parse: () => string): string {
  try {
    return parse();
  } catch (error) {
    if (error instanceof EndpointUrlError) return fail(250105, field, error.text);
    if (error instanceof TransferError) return fail(250105, field, quoted(error.message));
    throw error;
  }
}
