import type { End } from "../../../activities/registries/contract.ts";

/** Returns an end at this address, without credentials. */
export const endAt = (url: string, budgets?: End["budgets"]): End => ({
  url,
  namespace: "",
  username: null,
  password: null,
  token: null,
  ...(budgets && { budgets }),
});
