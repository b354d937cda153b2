import { type TransferError } from "../domain/failure.ts";
import { UNSIGNED } from "./internal-answers.ts";
import { CERTIFICATE_CODES, errorCode } from "./registries/http-failure.ts";

type SpeaksTls = (address: { host: string; port: number }) => Promise<boolean>;

/**
 * Returns why the control plane at `apiUrl` did not answer a worker as it should, and what to do. `speaksTls`: whether
 * a server speaks TLS.
 */
export async function problemOfControlPlane(
  apiUrl: string,
  error: TransferError,
  speaksTls: SpeaksTls,
): Promise<string> {
  const { kind, message } = error;
  if (kind !== "unreachable") return message;
  const isUnsigned = error.codes?.includes(UNSIGNED) ?? false;
  const code = isUnsigned ? "" : errorCode(error);
  const known = ofCode(apiUrl, code);
  if (known !== null) return known;
  if (apiUrl.startsWith("http:") && (await speaksTls(addressOf(apiUrl))))
    return `${apiUrl} expects TLS: write https:// in API_URL`;
  if (isUnsigned) return message;
  const shown = code === "" ? "" : ` (${code})`;
  return `no answer from ${apiUrl}${shown}: correct API_URL, or check the network and the firewalls between`;
}

function ofCode(apiUrl: string, code: string): string | null {
  if (code === "ECONNREFUSED")
    return (
      `nothing listens at ${apiUrl}: start the service there ` +
      "(with a HOST that is reachable from here), or correct API_URL"
    );
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `the host name in ${apiUrl} cannot be resolved: correct API_URL, or check the DNS of this machine`;
  if (CERTIFICATE_CODES.has(code))
    return (
      `the certificate of ${apiUrl} is not accepted (${code}): use the host name that it states in API_URL, ` +
      "and set NODE_EXTRA_CA_CERTS to the PEM file of a private CA"
    );
  if (code === "EPROTO" || code.startsWith("ERR_SSL_"))
    return `${apiUrl} does not speak TLS (${code}): write http:// in API_URL`;
  return null;
}

function addressOf(apiUrl: string): { host: string; port: number } {
  const { hostname, port } = new URL(apiUrl);
  return { host: hostname.replaceAll(/[[\]]/g, ""), port: Number(port || 80) };
}
