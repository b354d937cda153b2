import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: ["./db/schema/content.ts", "./db/schema/packages.ts", "./db/schema/replication.ts"],
  out: "./db/migrations",
  casing: "snake_case",
});
