import { startProxy, type FaultProxy } from "../servers/proxy.ts";
import { sha256, unique, type TaskDraft } from "./run-fixture.ts";
import { listFiles } from "./run-judge.ts";
import { startFileRig } from "./run-rig.ts";
import { fillRepository, type Listing } from "./run-sources.ts";
import { ended, SHORT_WINDOW } from "./unlucky-rig.ts";

const MIB = 2 ** 20;

/** The hosted repository `name` with files, and a cluster behind a proxy, all for one test. */
type Place = {
  name: string;
  files: Listing;
  proxy: FaultProxy;
  cluster: string;
  end: () => Promise<void>;
};

export type UnluckyFileRig = Awaited<ReturnType<typeof startUnluckyFileRig>>;

/** Starts two instances for runs of files that meet bad luck. */
export async function startUnluckyFileRig(env: Record<string, string> = SHORT_WINDOW) {
  const rig = await startFileRig({ env });
  return {
    ...rig,
    async place(
      prefix: string,
      sizes: number[] = [10, 20_000, 300_000, 2 * MIB],
    ): Promise<Place> {
      const name = unique(`${prefix}-`);
      await rig.product.hosted(rig.projectId, name);
      const files = await fillRepository(rig.product, rig.projectId, name, sizes);
      const proxy = await startProxy(rig.edge.url);
      const cluster = await rig.product.partner(name, rig.edge, proxy.url);
      return { name, files, proxy, cluster, end: proxy.stop };
    },
    /** Starts a run of a place's files, to its own cluster unless another is given. */
    start: (
      { name, cluster }: Pick<Place, "name" | "cluster">,
      draft: Partial<TaskDraft> = {},
    ) =>
      rig.product.run({
        projectId: rig.projectId,
        objects: [{ localRepoName: name, repoType: "GENERIC" }],
        clusters: [cluster],
        ...draft,
      }),
    ended: (key: string) => ended(rig.product, key),
    /** Lists the files of the repository `name` at the other instance; none if it does not exist there. */
    there: (name: string): Promise<Listing> =>
      listFiles(rig.partner, rig.projectId, name, sha256).catch((error: unknown) =>
        String(error).includes("25100")
          ? new Map<string, string>()
          : Promise.reject(error),
      ),
  };
}

/** Whether a request sends content or a declaration to another instance. */
export const isSending = ({ method, path }: { method: string; path: string }): boolean =>
  path.includes("/sync/v1/") &&
  ["POST", "PATCH"].includes(method) &&
  !path.includes("/repositories/");
