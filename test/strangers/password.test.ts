import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openInstance } from "../../activities/secrets/instance.ts";

const WEAK = { adminUsername: "admin", adminPassword: "a" };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "password-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a new instance refuses a weak password and leaves nothing behind", () => {
  expect(() => openInstance(folder, WEAK, null)).toThrow(
    /ADMIN_PASSWORD is too easy to guess/,
  );
  expect(readdirSync(folder)).toEqual([]);
});

test("an instance that exists goes on with its weak password", () => {
  const first = openInstance(folder, { adminUsername: "admin" }, null);
  expect(first.adminPassword).toHaveLength(24);
  expect(openInstance(folder, WEAK, null)).toMatchObject({
    id: first.id,
    adminPassword: "a",
  });
});
