import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { StartError } from "../../domain/start-error.ts";

/** Where certificate and key lie: the settings TLS_CERT_PATH and TLS_KEY_PATH. */
export type PairFiles = { certPath: string; keyPath: string };

/** A certificate with its intermediates and its key, as PEM; `begins` and `ends`: when it is valid (epoch ms). */
export type Pair = { cert: string; key: string; begins: number; ends: number };

const MOST_BYTES = 1024 ** 2;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const SEALED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/**
 * Reads a certificate and its key and checks that a server can use them. Throws a StartError that says what is wrong
 * with which setting, and what to do. When the certificate is valid is not judged.
 */
export async function readPair({ certPath, keyPath }: PairFiles): Promise<Pair> {
  const cert = await readText("TLS_CERT_PATH", certPath);
  const key = await readText("TLS_KEY_PATH", keyPath);
  const [own, ...others] = certificatesIn(cert);
  if (!own)
    throw new StartError(
      `TLS_CERT_PATH ${certPath} has no certificate in PEM: name a file with -----BEGIN CERTIFICATE-----`,
    );
  const privateKey = keyIn(key, keyPath);
  if (!own.checkPrivateKey(privateKey))
    throw new StartError(
      others.some((other) => other.checkPrivateKey(privateKey))
        ? `TLS_CERT_PATH ${certPath} begins with another certificate than the server's: ` +
            "put the server's first, its intermediates behind it"
        : `TLS_KEY_PATH ${keyPath} does not fit the certificate of TLS_CERT_PATH ${certPath}: ` +
            "name the certificate and the key that were made for each other",
    );
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new StartError(
      `TLS_CERT_PATH ${certPath} cannot be used: ${messageOf(error)}: have a certificate made that OpenSSL accepts`,
    );
  }
  const { validFrom, validTo } = own;
  return { cert, key, begins: Date.parse(validFrom), ends: Date.parse(validTo) };
}

async function readText(variable: string, path: string): Promise<string> {
  try {
    const found = await stat(path);
    // To read a pipe could take for ever, and the files are read again and again.
    if (!found.isFile())
      throw new StartError(`${variable} ${path} is not a file: name a PEM file`);
    if (found.size > MOST_BYTES)
      throw new StartError(`${variable} ${path} is larger than 1 MiB: name a PEM file`);
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `${variable} ${path} cannot be read (${codeOf(error)}): name a PEM file that the service may read`,
    );
  }
}

function certificatesIn(pem: string): X509Certificate[] {
  try {
    return (pem.match(CERTIFICATE) ?? []).map((each) => new X509Certificate(each));
  } catch {
    return [];
  }
}

function keyIn(pem: string, path: string): KeyObject {
  if (SEALED.test(pem))
    throw new StartError(
      `TLS_KEY_PATH ${path} is protected by a passphrase: name a key without one, ` +
        "as `openssl pkey -in protected.pem -out key.pem` writes it",
    );
  try {
    return createPrivateKey(pem);
  } catch {
    throw new StartError(
      `TLS_KEY_PATH ${path} has no private key in PEM: name a file with -----BEGIN PRIVATE KEY-----`,
    );
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
const codeOf = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? messageOf(error);
