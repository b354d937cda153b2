import { afterAll, beforeAll, expect, test, type TestContext } from "vitest";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { startImages, type Images } from "../rigs/api/oci-server-fixture.ts";
import {
  type Check,
  LATER_SUITE,
  RELEASED_SUITE,
  runSuite,
} from "../rigs/servers/oci-suites.ts";
import { findTool, type Tool } from "../rigs/servers/tools.ts";

/** Where the suites push to: both images are in one hosted repository. */
const IMAGES = ["team/images/conformance/one", "team/images/conformance/two"] as const;

let api: Images;
beforeAll(async () => {
  api = await startImages();
});
afterAll(() => api.close());

async function checksOf(
  suite: Tool,
  context: TestContext,
  settings: Record<string, string>,
): Promise<Check[]> {
  const command = await findTool(suite);
  if (command === null) return context.skip("the suite cannot be built on this machine");
  return runSuite(command, settings);
}

const others = (checks: readonly Check[]) =>
  checks.filter(({ result }) => result !== "passed");

test("hosted images pass every check of the suite of distribution-spec 1.1.1", async (context) => {
  const checks = await checksOf(RELEASED_SUITE, context, {
    OCI_ROOT_URL: api.url,
    OCI_NAMESPACE: IMAGES[0],
    OCI_CROSSMOUNT_NAMESPACE: IMAGES[1],
    OCI_USERNAME: ADMIN.username,
    OCI_PASSWORD: ADMIN.password,
    OCI_TEST_PULL: "1",
    OCI_TEST_PUSH: "1",
    OCI_TEST_CONTENT_DISCOVERY: "1",
    OCI_TEST_CONTENT_MANAGEMENT: "1",
  });
  expect(others(checks)).toEqual([]);
  expect(checks.length).toBe(79);
});

test("hosted images pass the later suite, with its optional parts, except for six checks", async (context) => {
  const checks = await checksOf(LATER_SUITE, context, {
    OCI_REGISTRY: api.host,
    OCI_TLS: "disabled",
    OCI_REPO1: IMAGES[0],
    OCI_REPO2: IMAGES[1],
    OCI_USERNAME: ADMIN.username,
    OCI_PASSWORD: ADMIN.password,
    OCI_API_BLOBS_DIGEST_HEADER: "true",
    OCI_API_BLOBS_UPLOAD_CANCEL: "true",
    OCI_API_MANIFESTS_DIGEST_HEADER: "true",
    OCI_API_MANIFESTS_TAG_PARAM: "true",
  });
  expect(others(checks)).toEqual([]);
  expect(checks.length).toBe(978);
});
