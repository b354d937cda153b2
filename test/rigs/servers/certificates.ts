import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type IssuedPair = { certFile: string; keyFile: string };

/** Creates a CA that no client trusts on its own, in a new folder. */
export function createCa() {
  const folder = mkdtempSync(join(tmpdir(), "ca-"));
  const openssl = (command: string) =>
    execFileSync("openssl", command.split(" "), { cwd: folder, stdio: "ignore" });
  const key = (file: string) =>
    `-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${file}`;
  openssl(`req -x509 ${key("ca-key.pem")} -days 40 -subj /CN=TestCA -out ca.pem`);
  const certFile = join(folder, "ca.pem");
  return {
    folder,
    certFile,
    pem: readFileSync(certFile, "utf8"),
    /** Issues a certificate for `names`, which is valid for `days`; negative ones make one that has ended. */
    issue(
      name: string,
      {
        names = "DNS:localhost,IP:127.0.0.1",
        days = 30,
      }: { names?: string; days?: number } = {},
    ): IssuedPair {
      writeFileSync(
        join(folder, `${name}.ext`),
        `subjectAltName=${names}\nbasicConstraints=CA:FALSE\n`,
      );
      openssl(`req ${key(`${name}-key.pem`)} -subj /CN=${name} -out ${name}.csr`);
      openssl(
        `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days ${days} ` +
          `-extfile ${name}.ext -out ${name}.pem`,
      );
      const [certFile, keyFile] = [`${name}.pem`, `${name}-key.pem`];
      return { certFile: join(folder, certFile), keyFile: join(folder, keyFile) };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const readIssued = ({ certFile, keyFile }: IssuedPair) => ({
  cert: readFileSync(certFile, "utf8"),
  key: readFileSync(keyFile, "utf8"),
});
