import { expect, test } from "vitest";
import { imageNames } from "../../domain/image/objects.ts";

const KEY = "docker://library/app";
const constraint = (versions: string[] | null, packageKey = KEY) => ({
  packageKey,
  versions,
});

test("without constraints, all images and all their tags are selected", () => {
  for (const none of [null, []])
    expect(imageNames(none)).toEqual({ names: null, versions: {} });
});

test("two constraints of one image select the tags of both", () => {
  expect(imageNames([constraint(["1", "2"]), constraint(["2", "3"])])).toEqual({
    names: ["library/app"],
    versions: { "library/app": ["1", "2", "3"] },
  });
});

test.each([
  { order: "first", versions: [null, ["1"]] },
  { order: "last", versions: [["1"], []] },
])(
  "all tags of an image are selected if its $order constraint names no tags",
  ({ versions }) => {
    const selected = imageNames([
      ...versions.map((each) => constraint(each)),
      constraint(["3"], "docker://other"),
    ]);
    expect(selected).toEqual({
      names: ["library/app", "other"],
      versions: { other: ["3"] },
    });
  },
);
