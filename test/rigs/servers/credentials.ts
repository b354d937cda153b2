import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** The user who may do everything at test servers that require a login. */
export const USER = { username: "alice", password: "s3cret-of-alice" };

/** Creates a key and a self-signed certificate, which no client trusts, for the TLS servers of tests. */
export function selfSigned(folder: string): { key: string; certificate: string } {
  const key = join(folder, "key.pem");
  const certificate = join(folder, "certificate.pem");
  const subject = [
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
  ];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      ...subject,
      "-keyout",
      key,
      "-out",
      certificate,
    ],
    { stdio: "ignore" },
  );
  return { key, certificate };
}
