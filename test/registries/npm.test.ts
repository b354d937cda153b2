import { npm } from "../../activities/registries/npm/connector.ts";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { startNpm } from "../rigs/api/npm-fixture.ts";
import { USER } from "../rigs/servers/credentials.ts";
import { startVerdaccio } from "../rigs/servers/verdaccio.ts";
import { describeConnector, type Skipped } from "./conformance.ts";
import { npmRig } from "./npm-rig.ts";

const skip: Skipped[] = [
  {
    case: "ends on pages that never end",
    reason: "npm's registry API sends all versions of a package at once",
  },
  {
    case: "ends on a page that names itself as the next page",
    reason: "npm's registry API sends all versions of a package at once",
  },
];

const verdaccio = await startVerdaccio();

describeConnector(
  "npm at verdaccio",
  async () =>
    verdaccio.available ? npmRig(npm, verdaccio.url, USER, verdaccio.stop) : null,
  { skip },
);

describeConnector(
  "npm at a hosted repository",
  async () => {
    const { registry, close } = await startNpm();
    return npmRig(npm, registry, ADMIN, close);
  },
  { skip },
);
