import { expect, test } from "vitest";
import { firingId } from "../../domain/firing.ts";
import { distinctNames, runBase, safeName } from "../../domain/run-names.ts";
import { targetWorkflowId } from "../../workflows/contract.ts";

test("a name in a workflow id keeps letters and digits of every script, and gets _ for separators and quotes", () => {
  expect(safeName("nightly mirror (v1.2)_a-b+c@d")).toBe("nightly mirror (v1.2)_a-b+c@d");
  expect(safeName("镜像/élan/е́лки")).toBe("镜像_élan_е́лки");
  expect(safeName("a/b\\c'd\"e`f~g#h?i%j\u0000k\nl\u202Em\u200Bn\uD800o🚀")).toBe(
    "a_b_c_d_e_f_g_h_i_j_k_l_m_n_o_",
  );
  expect(safeName("  padded  ")).toBe("padded");
  expect(safeName("   ")).toBe("_");
});

test("a long name in a workflow id is cut after 60 whole characters", () => {
  expect(safeName("x".repeat(300))).toBe("x".repeat(60));
  expect(Array.from(safeName("𠮷".repeat(300)))).toHaveLength(60);
});

test("names that would be equal in workflow ids get a number, and no others do", () => {
  const long = "y".repeat(80);
  const names = distinctNames([
    "edge",
    "a/b",
    "a_b",
    "a_b~2",
    "Edge",
    `${long}1`,
    `${long}2`,
  ]);
  expect(names).toEqual([
    "edge",
    "a_b~2",
    "a_b~3",
    "a_b_2",
    "Edge",
    `${"y".repeat(58)}~6`,
    `${"y".repeat(58)}~7`,
  ]);
});

test("no workflow id is longer than the 255 characters, or 1,000 bytes, that Temporal stores", () => {
  const long = "𠮷".repeat(300);
  const run = `${runBase({ key: "f".repeat(32), name: long })}/${"f".repeat(24)}`;
  const [cluster, object] = [
    distinctNames([long, long]),
    distinctNames(Array.from({ length: 10_000 }, () => long)),
  ];
  const id = targetWorkflowId(run, {
    id: `${cluster[1]}/${object[9_999]}`,
    clusterId: "",
    object: 9_999,
  });
  for (const text of [id, firingId({ key: "f".repeat(32), name: long }, 0)]) {
    expect(Array.from(text).length).toBeLessThanOrEqual(255);
    expect(Buffer.byteLength(text)).toBeLessThan(1_000);
  }
});
