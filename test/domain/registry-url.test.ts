import { describe, expect, test } from "vitest";
import { EndpointUrlError, isSameEnd } from "../../domain/endpoint-url.ts";
import { parseProtocolUrl } from "../../domain/registry-url.ts";
import type { Protocol } from "../../domain/vocabulary.ts";

describe("the address of a registry", () => {
  test.each<[Protocol | null, string, string, string | null]>([
    [null, "r.example/ns/", "https://r.example/ns", "r.example"],
    ["WEBDAV", "127.0.0.1:5000/dav/", "http://127.0.0.1:5000/dav", "127.0.0.1"],
    [null, "s3://bucket", "s3://bucket", null],
    [null, "S3://bucket/a/prefix/", "s3://bucket/a/prefix", null],
    [
      "S3",
      "s3://bucket/prefix?region=eu-central-1",
      "s3://bucket/prefix?region=eu-central-1",
      null,
    ],
    [
      "S3",
      "https://minio.example/bucket/prefix/?style=path&region=us-east-1",
      "https://minio.example/bucket/prefix?style=path&region=us-east-1",
      "minio.example",
    ],
    [
      "S3",
      "localhost:9000/bucket?style=virtual",
      "http://localhost:9000/bucket?style=virtual",
      "localhost",
    ],
    [null, "file:///srv/carry/", "file:///srv/carry", null],
    ["DIRECTORY", "file:/srv/a b", "file:///srv/a%20b", null],
    ["DIRECTORY", "file:///srv/../srv/carry", "file:///srv/carry", null],
  ])(
    "a registry address of protocol %s that is written %s is stored as %s",
    (protocol, given, text, host) => {
      expect(parseProtocolUrl(given, protocol)).toEqual({ text, host });
      expect(parseProtocolUrl(text, protocol).text).toBe(text);
    },
  );

  test.each<[Protocol | null, string, RegExp]>([
    ["WEBDAV", "s3://bucket", /begins with s3: is one of protocol S3, not WEBDAV/],
    ["S3", "file:///srv", /begins with file: is one of protocol DIRECTORY, not S3/],
    [null, "ftp://r.example", /only http and https/],
    ["HTTP", "https://r.example/?a=b", /without \?/],
    ["S3", "https://minio.example", /https:\/\/host\/bucket.*3 to 63/],
    ["S3", "https://minio.example/Bucket", /lower-case/],
    ["S3", "https://u:p@minio.example/bucket", /username and password/],
    ["S3", "s3://u:p@bucket", /username and password/],
    ["S3", "s3://b", /s3:\/\/bucket\/prefix/],
    ["S3", "s3://bucket#top", /without #/],
    ["S3", "s3://bucket?style=path", /region alone/],
    ["S3", "https://minio.example/bucket?acl", /region and style alone/],
    ["S3", "https://minio.example/bucket?style=round", /path or virtual/],
    ["S3", "https://minio.example/bucket?region=a&region=b", /each at most once/],
    ["S3", "s3://bucket?region=EU!", /eu-central-1/],
    ["DIRECTORY", "https://r.example/srv", /file:\/\/\/folder/],
    ["DIRECTORY", "/srv/carry", /file:\/\/\/folder/],
    ["DIRECTORY", "file://host/srv", /no host/],
    ["DIRECTORY", "file:///", /file:\/\/\/folder/],
    ["DIRECTORY", "file:///srv/a%2F..%2F..%2Fetc", /file:\/\/\/folder/],
    ["DIRECTORY", "file:///srv?x", /without \?/],
    [null, `s3://bucket/${"a".repeat(1024)}`, /1024/],
  ])(
    "a registry address of protocol %s is refused if it is %s",
    (protocol, given, reason) => {
      expect(() => parseProtocolUrl(given, protocol)).toThrow(EndpointUrlError);
      expect(() => parseProtocolUrl(given, protocol)).toThrow(reason);
    },
  );
});

test.each([
  ["http://a.example", "are", "https://a.example/other", true],
  ["https://a.example", "are not", "http://a.example", false],
  ["s3://bucket/one", "are", "s3://bucket/two?region=eu-west-1", true],
  ["s3://bucket", "are not", "s3://other", false],
  ["s3://bucket", "are not", "https://bucket", false],
])("credentials stored for %s %s sent to %s", (before, _are, after, same) => {
  expect(isSameEnd(before, after)).toBe(same);
});
