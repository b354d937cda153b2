import { startApi } from "./socket-fixture.ts";

/** Serves the API over the data directory in its first argument, for tests that kill it. */
const api = await startApi({}, process.argv[2]);
await api.deps.store.sweep(Date.now());
process.on("disconnect", () => process.exit(0));
process.send?.(api.port);
