import { readIssued } from "../servers/certificates.ts";
import { startApi } from "./socket-fixture.ts";

/**
 * Serves the API over the data directory in its first argument, for tests that kill it; with TLS if files with a
 * certificate and its key follow.
 */
const [, , directory, certFile, keyFile] = process.argv;
const tls = certFile && keyFile ? readIssued({ certFile, keyFile }) : null;
const api = await startApi({}, directory, { tls });
await api.deps.store.sweep(Date.now());
process.on("disconnect", () => process.exit(0));
process.send?.(api.port);
