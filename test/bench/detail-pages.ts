import { createTestApi } from "../rigs/api/api-fixture.ts";
import {
  addCluster,
  addManyDetails,
  addRecord,
  addRepository,
  endRecord,
} from "../rigs/db/rows.ts";
import { percentile, within, type Row } from "./measure.ts";
import type { Bench } from "./rig.ts";

const DETAILS = 1_000_000;
const PAGES = 100;

/** Measures pages of a record's details, read from an API in this process over its own database. */
export async function detailPages({ say }: Bench): Promise<Row[]> {
  const api = createTestApi();
  try {
    addRepository(api.db, "p", "files", "GENERIC");
    const clusterId = addCluster(api.db, "second");
    const body = {
      name: "many",
      localProjectId: "p",
      replicaObjectType: "REPOSITORY",
      replicaTaskObjects: [{ localRepoName: "files", repoType: "GENERIC" }],
      setting: {},
      remoteClusterIds: [clusterId],
    };
    const { data } = await api.call("POST", "/replication/api/task/create", { body });
    const recordId = addRecord(api.db, (data as { key: string }).key, Date.now());
    addManyDetails(api.db, recordId, clusterId, DETAILS);
    endRecord(api.db, recordId, "FAILED", Date.now(), "one in four failed");
    say(`${DETAILS} rows are there`);
    const all: number[] = [];
    for (const filter of ["", "&status=FAILED", "&status=SUCCESS"]) {
      for (let page = 1; page <= PAGES; page += 1) {
        const begun = performance.now();
        const answer = await api.call(
          "GET",
          `/replication/api/task/record/detail/page/${recordId}?pageNumber=${page}&pageSize=20${filter}`,
        );
        all.push(performance.now() - begun);
        if ((answer.data as { records: unknown[] }).records.length !== 20)
          throw new Error(answer.text.slice(0, 500));
      }
    }
    return [
      within(
        "detail pages over 1,000,000 rows, 99th percentile",
        percentile(all, 99),
        50,
        all,
      ),
    ];
  } finally {
    api.close();
  }
}
