import { describeConnector, type Skipped } from "./conformance.ts";
import { hostedRig } from "./hosted-rig.ts";

const skip: Skipped[] = [
  {
    case: "waits as long as Retry-After says, in seconds or until a date",
    reason: "the control plane never asks its workers to come later",
  },
  {
    case: "gives up an end that is silent",
    reason: "a worker gives its control plane up after 60 s, which nobody can set",
  },
  {
    case: "keeps secrets out of its messages, also those that the server echoes",
    reason: "the store has no login: each request is signed by itself",
  },
  {
    case: "decodes an answer that came coded unasked, or refuses it by its coding",
    reason: "what was coded on its way is refused by its digest",
  },
];

describeConnector("the hosted source, over HTTP", hostedRig, { skip });
