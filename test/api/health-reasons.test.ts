import { describe, expect, test } from "vitest";
import { createTestApi } from "../rigs/api/api-fixture.ts";

describe("the reason of a health check", () => {
  test.each([
    ["en", "nothing listens there: correct TEMPORAL_ADDRESS", "it waits for Temporal"],
    ["zh-CN", "没有服务在监听：请更正 TEMPORAL_ADDRESS", "正在等待 Temporal"],
  ])("the health check says in %s why each part is missing", async (language, ...why) => {
    const away = createTestApi({
      processes: () => ({
        temporal: false,
        temporalProblem: {
          en: "nothing listens there: correct TEMPORAL_ADDRESS",
          zh: "没有服务在监听：请更正 TEMPORAL_ADDRESS",
        },
        searchAttributes: false,
        orchestrator: false,
        workers: 1,
      }),
    });
    const { data } = await away.call("GET", "/health/ready", {
      login: null,
      headers: { "accept-language": language },
    });
    expect((data as { reasons: unknown }).reasons).toEqual([
      { part: "temporal", reason: why[0] },
      { part: "orchestrator", reason: why[1] },
    ]);
    away.close();
  });
});
