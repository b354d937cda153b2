import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Who may do everything at the test servers that ask for a login. */
export const USER = { username: "alice", password: "s3cret-of-alice" };

/** A key and a certificate nobody trusts, for TLS ends of tests. */
export function selfSigned(folder: string): { key: string; certificate: string } {
  const key = join(folder, "key.pem");
  const certificate = join(folder, "certificate.pem");
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, "-keyout", key, "-out", certificate],
    { stdio: "ignore" },
  );
  return { key, certificate };
}
