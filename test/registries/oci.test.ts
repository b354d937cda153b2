import { oci } from "../../activities/registries/oci/connector.ts";
import { startRegistry } from "../servers/registries.ts";
import { describeConnector } from "./conformance.ts";
import { ociRig } from "./oci-rig.ts";

const [source, target] = [await startRegistry("docker-registry"), await startRegistry("docker-registry")];

describeConnector("OCI at docker-registry", async () => (source.available ? ociRig(oci, source, target) : null), {
  skip: [
    { case: "tells a login that is not accepted from an end that cannot be reached", reason: "this registry asks for no login" },
    { case: "ends on pages that never end", reason: "an image may have any number of tags, and nothing bounds them yet" },
  ],
});
