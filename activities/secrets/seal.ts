import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";

/** Derives a key for one purpose from the secret key, so that no key serves two purposes (HKDF, RFC 5869). */
export function deriveKey(secretKey: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secretKey, "artifact-replication", purpose, 32));
}

export type Sealer = {
  seal: (plain: string, aad: string) => string;
  open: (sealed: string, aad: string) => string;
};

/**
 * Seals secrets with AES-256-GCM, as `v1.<nonce>.<tag>.<ciphertext>` in base64url. `aad` names the row that
 * a secret belongs to, so that a sealed value cannot be moved to another row. `open` throws when the key or
 * `aad` is not the one that sealed the value.
 */
export function createSealer(secretKey: string): Sealer {
  const key = deriveKey(secretKey, "seal");
  return {
    seal(plain, aad) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(aad));
      const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
      return [
        "v1",
        ...[nonce, cipher.getAuthTag(), body].map((part) => part.toString("base64url")),
      ].join(".");
    },
    open(sealed, aad) {
      const [version, nonce, tag, body] = sealed.split(".");
      if (version !== "v1" || !nonce || !tag || body === undefined)
        throw new Error("the sealed value is malformed");
      const decipher = createDecipheriv(
        "aes-256-gcm",
        key,
        Buffer.from(nonce, "base64url"),
        { authTagLength: 16 },
      );
      decipher.setAAD(Buffer.from(aad)).setAuthTag(Buffer.from(tag, "base64url"));
      return Buffer.concat([
        decipher.update(Buffer.from(body, "base64url")),
        decipher.final(),
      ]).toString("utf8");
    },
  };
}

/** Opens a sealed value; null when another key, or another `aad`, has sealed it. */
export function tryOpen(sealer: Sealer, sealed: string, aad: string): string | null {
  try {
    return sealer.open(sealed, aad);
  } catch {
    return null;
  }
}

/** Returns the HMAC-SHA256 of a text in hex. Compare it with `sameSecret`. */
export function sign(key: Buffer, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

const comparable = (value: string) =>
  createHmac("sha256", "compare").update(value).digest();

/** Returns whether two secrets are equal. How long the comparison takes does not tell where they differ. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(comparable(given), comparable(expected));
}
