import type { Connector } from "../contract.ts";
import { check } from "./check.ts";
import { openLister } from "./lister.ts";
import { openSource } from "./source.ts";
import { openTarget } from "./target.ts";

/** The connector of npm registries: documents of packages, tarballs, publications, dist-tags (npm's registry API). */
export const npm = {
  lister: openLister,
  source: openSource,
  target: openTarget,
  check,
} as const satisfies Connector;
