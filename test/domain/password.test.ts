import { expect, test } from "vitest";
import { weaknessOf } from "../../domain/password.ts";

test.each([
  ["", /fewer than 12 characters/],
  ["a", /fewer than 12 characters/],
  ["hunter2hunt", /fewer than 12 characters/],
  ["aaaaaaaaaaaaaaaa", /different characters/],
  ["abababababababab", /different characters/],
  ["Password123!", /tried first/],
  ["passwordpassword", /tried first/],
  ["correct horse battery staple", /tried first/],
  ["012345678901234", /tried first/],
  ["operator12345", /user name/],
  ["OperatorOperator", /user name/],
])("the password %j is weak", (password, why) => {
  expect(weaknessOf(password, "operator")).toMatch(why);
});

test.each([
  "secret-of-the-partner",
  "h7G-2kd8sQ1z",
  "四个随机的词语放在一起很长",
  "0a1b2c3d4e5f",
])("the password %j is good enough", (password) => {
  expect(weaknessOf(password, "operator")).toBeNull();
});
