import { oci } from "../../activities/registries/oci/connector.ts";
import { USER } from "../rigs/servers/credentials.ts";
import { startRegistry } from "../rigs/servers/registries.ts";
import { describeConnector } from "./conformance.ts";
import { ociRig } from "./oci-rig.ts";

const source = await startRegistry("docker-registry", { auth: "token" });
const target = await startRegistry("docker-registry", { auth: "htpasswd" });

describeConnector(
  "OCI at docker-registry, from a registry with token login to one with Basic login",
  async () => (source.available ? ociRig(oci, source, target, USER) : null),
);
