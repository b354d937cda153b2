import { describe, expect, test } from "vitest";
import { isDigest } from "../../domain/digest.ts";
import {
  attachedTo,
  fallbackTag,
  fullName,
  isImageName,
  isTag,
  parseRegistryUrl,
} from "../../domain/reference.ts";

const HEX = "a".repeat(64);

describe("the URL of an image registry", () => {
  test.each([
    ["https://host.example", "https://host.example", ""],
    ["https://host.example/mirror/", "https://host.example", "mirror"],
    ["host.example:5000/a/b", "https://host.example:5000", "a/b"],
    ["localhost:5000", "http://localhost:5000", ""],
    ["127.0.0.1:5000/x", "http://127.0.0.1:5000", "x"],
    ["[::1]:5000", "http://[::1]:5000", ""],
    ["http://host.example/v2/", "http://host.example", ""],
    ["https://host.example/v2/project/repo", "https://host.example", "project/repo"],
    ["docker.io", "https://registry-1.docker.io", ""],
    ["localhost.example", "https://localhost.example", ""],
  ])(
    "the registry URL %s is read as %s with the namespace %j",
    (text, origin, namespace) => {
      expect(parseRegistryUrl(text)).toEqual({ origin, namespace });
    },
  );

  test.each([
    "",
    "ftp://host",
    "file:///etc",
    "https://",
    "https://user:pw@host",
    "https://host/?a=b",
    "https://host/UPPER",
    "https://host/../..%2f",
    "http://host:99999",
  ])("the registry URL %j is refused", (text) => {
    expect(parseRegistryUrl(text)).toBeNull();
  });

  test("the registry URL's path is a prefix of image names, and Docker Hub's own images are below library", () => {
    expect(
      fullName({ origin: "https://host", namespace: "mirror" }, "library/nginx"),
    ).toBe("mirror/library/nginx");
    expect(
      fullName({ origin: "https://registry-1.docker.io", namespace: "" }, "nginx"),
    ).toBe("library/nginx");
    expect(
      fullName({ origin: "https://registry-1.docker.io", namespace: "" }, "me/nginx"),
    ).toBe("me/nginx");
    expect(
      fullName({ origin: "https://registry-1.docker.io", namespace: "me" }, "nginx"),
    ).toBe("me/nginx");
  });
});

test("valid image names, tags and digests are accepted, and similar texts are refused", () => {
  expect(["a", "a/b", "a.b_c__d-e---f/0"].every(isImageName)).toBe(true);
  expect(
    [
      "",
      "A",
      "a/",
      "/a",
      "a//b",
      "a..b",
      "a___b",
      "-a",
      "a-",
      "../a",
      "a:b",
      "a@b",
      "a".repeat(256),
    ].some(isImageName),
  ).toBe(false);
  expect(["latest", "1.0", "_x", "A-b.c", "a".repeat(128)].every(isTag)).toBe(true);
  expect(["", ".x", "-x", "a/b", "a:b", "a b", "a".repeat(129)].some(isTag)).toBe(false);
  expect([`sha256:${HEX}`, `sha512:${HEX}${HEX}`].every(isDigest)).toBe(true);
  expect(
    [
      `sha256:${HEX.toUpperCase()}`,
      `sha256:${HEX}0`,
      `sha512:${HEX}`,
      `md5:${HEX}`,
      `sha256:${HEX}/..`,
      5,
      null,
    ].some(isDigest),
  ).toBe(false);
});

test("tags that attach an artifact to another image are recognized, and similar tags are not", () => {
  const subject = `sha256:${HEX}`;
  expect(attachedTo(`sha256-${HEX}`)).toEqual({ subject, suffix: null });
  expect(attachedTo(`sha256-${HEX}.sig`)).toEqual({ subject, suffix: "sig" });
  expect(
    [
      "latest",
      `sha256-${HEX}.other`,
      `sha256-${HEX.slice(1)}`,
      `x-sha256-${HEX}`,
      `sha256-${HEX}.sig.sig`,
    ].map(attachedTo),
  ).toEqual(Array(5).fill(null));
  expect(isDigest(subject) ? fallbackTag(subject) : "").toBe(`sha256-${HEX}`);
});

test("the tag that lists what is attached to a sha512 digest has the first 64 characters of its hash", () => {
  const subject = `sha512:${HEX}${HEX}`;
  expect(isDigest(subject) ? fallbackTag(subject) : "").toBe(`sha512-${HEX}`);
});

test("long and hostile image names are checked without backtracking", () => {
  const began = Date.now();
  for (const text of [
    "a-".repeat(100_000),
    "a".repeat(200_000),
    `${"a/".repeat(120)}!`,
    "_".repeat(250),
  ])
    isImageName(text);
  expect(Date.now() - began).toBeLessThan(20_000);
});
