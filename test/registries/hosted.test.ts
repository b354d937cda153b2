import { describeConnector, type Skipped } from "./conformance.ts";
import { hostedRig } from "./hosted-rig.ts";

const skip: Skipped[] = [
  {
    case: "reads 1 GiB in flat memory",
    reason:
      "the suite's large answer is not signed by a control plane, and no worker believes it",
  },
  {
    case: "reports the time of Retry-After, in seconds or as a date",
    reason: "the control plane never sends Retry-After to its workers",
  },
  {
    case: "fails with a retryable error when an end is silent",
    reason: "a worker waits 60 s for its control plane, which is not configurable",
  },
  {
    case: "keeps secrets out of its messages, even if the server echoes them",
    reason: "the store has no login: each request carries its own signature",
  },
  {
    case: "says the same whatever word its password is, and hides the word where a server echoes it",
    reason: "the store has no login: each request carries its own signature",
  },
  {
    case: "decodes an answer with an unrequested content coding, or refuses it by the name of the coding",
    reason: "an answer that was coded on its way is refused by its digest",
  },
];

describeConnector("the hosted source, over HTTP", hostedRig, { skip });
