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

/** Checks of the released suite that do not apply, by the end of their names, and why. */
const LEFT_BY_RELEASED: Record<string, string> = {
  "Get tag name from environment":
    "it is for content that is there before; the suite pushes its own",
  "Populate registry with test tags (no push)": "it is for registries without push",
  "Cross-mounting of nonexistent blob should yield session id":
    "it is for an answer of 202 to a mount; the blob is mounted (201)",
  "Cross-mounting without from, and automatic content discovery enabled should return a 201":
    "OCI_AUTOMATIC_CROSSMOUNT is not set: a mount without `from` does not look into other images",
  "Cross-mounting without from, and automatic content discovery disabled should return a 202":
    "the same; and the suite asks for a blob that the check before has put into this image",
};

const NO_RIGHT =
  "the suite's token may push to the target but not pull from the source, so it is asked to send the blob (202)";
const NO_SOURCE =
  "without `from` only the image itself is looked through, so the client is asked to send the blob (202)";
const NO_RANGE =
  "a range that ends before it begins is invalid and ignored (RFC 9110, 14.1.1): the whole blob is answered";

/** Checks of the later suite that are skipped, by the end of their names, and why. */
const LEFT_BY_LATER: Record<string, string> = {
  "sha256 blobs/mount/blob-mount": NO_RIGHT,
  "sha512 blobs/mount/blob-mount": NO_RIGHT,
  "sha256 blobs/mount anonymous/blob-mount-anonymous": NO_SOURCE,
  "sha512 blobs/mount anonymous/blob-mount-anonymous": NO_SOURCE,
  "sha256 blobs/range requests/range 500-0": NO_RANGE,
  "sha512 blobs/range requests/range 500-0": NO_RANGE,
};

/** The names of all checks that did not pass, each with its result unless it is an expected skip. */
function unexpected(checks: readonly Check[], left: Record<string, string>): string[] {
  const isLeft = ({ name }: Check) =>
    Object.keys(left).some((each) => name.endsWith(each));
  return checks
    .filter((check) => check.result !== (isLeft(check) ? "skipped" : "passed"))
    .map(({ name, result, why }) => `${name}: ${result} ${why}`);
}

test("hosted images fail no check of the suite of distribution-spec 1.1.1", async (context) => {
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
  expect(unexpected(checks, LEFT_BY_RELEASED)).toEqual([]);
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
  expect(unexpected(checks, LEFT_BY_LATER)).toEqual([]);
  expect(checks.length).toBe(785);
});
