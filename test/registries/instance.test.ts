import { instance } from "../../activities/registries/connectors.ts";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { startNpm } from "../rigs/api/npm-fixture.ts";
import { describeConnector } from "./conformance.ts";
import { INSTANCE_WORDS, instanceRig } from "./instance-rig.ts";
import { npmRig } from "./npm-rig.ts";

describeConnector("another instance, for files", () => instanceRig(instance));

// The source states a sha512 of these contents but no sha256, as registries do.
describeConnector("another instance, for versions of packages", async () => {
  const { registry, close } = await startNpm();
  return npmRig(instance, registry, ADMIN, close, {
    namespace: "demo/packages",
    ...INSTANCE_WORDS,
  });
});
