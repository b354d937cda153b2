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

/**
 * Validates the url of another instance and returns it as it is stored. Throws 250105 with the
 * field and the reason if it is not valid or its host must not be connected to.
 */
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

/**
 * Validates the url of a registry and returns it as it is stored. The syntax is that of `protocol`,
 * or if null, that of the url's scheme. Throws 250105 if it is not valid or its host must not be
 * connected to.
 */
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
