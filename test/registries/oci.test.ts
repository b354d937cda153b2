import { oci } from "../../activities/registries/oci/connector.ts";
import { USER } from "../servers/credentials.ts";
import { startRegistry } from "../servers/registries.ts";
import { describeConnector } from "./conformance.ts";
import { ociRig } from "./oci-rig.ts";

const [source, target] = [await startRegistry("docker-registry", { auth: "token" }), await startRegistry("docker-registry", { auth: "htpasswd" })];

describeConnector("OCI at docker-registry, by a token from one to another by a password", async () => (source.available ? ociRig(oci, source, target, USER) : null));
