import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readmeBlocks } from "../rigs/runs/readme.ts";
import { openWalk, type Walk } from "../rigs/runs/readme-walk.ts";

const START = readmeBlocks(["Quick start"]);
const WALK = readmeBlocks([
  "Files to a second instance",
  "Images between two registries",
]);
const [second] = WALK.filter(({ commands }) => commands.includes("npm start"));
const blocks = WALK.filter((block) => block !== second);

/** What a shell, Node or curl prints when a command was not understood. */
const BROKEN =
  /command not found|no matches found|event not found|parse error|syntax error|SyntaxError|^ +at |curl: \(/im;
/** Codes that say that a project, repository, cluster or task exists already. */
const EXISTS = [251005, 251007, 250305, 250107];

test("the README's walk begins after the quick start, and says what its commands print", () => {
  expect(START.map(({ commands }) => commands)).toEqual(["npm ci && npm start\n"]);
  expect(second?.commands).toMatch(/DATA_DIR=data-second .* npm start\n/);
  expect(blocks.flatMap(({ says }) => says)).toEqual([
    "the copy is equal, byte for byte",
    "success: 2",
    "skip: 2",
    "fileSuccess: 0",
    "the upload is there",
    "the image is equal, with every digest",
  ]);
});

describe.each(["bash", "zsh"] as const)("the README's walk in %s", (name) => {
  let walk: Walk | null;
  beforeAll(async () => {
    walk = await openWalk(name);
    // The packages are installed: the tests run with them.
    await walk?.start("npm start", "data", 8080);
    await walk?.start(second?.commands.trim() ?? "", "data-second", 8081);
  });
  afterAll(() => walk?.close());

  test("what each block prints is what the README says, when it is pasted once and again", async ({
    skip,
  }) => {
    const { shell, atPorts } = walk ?? skip(`${name} is not available`);
    for (const time of ["first", "second"]) {
      for (const { commands, says } of blocks) {
        const { output, exit } = await shell.paste(atPorts(commands));
        const broken = BROKEN.exec(output)?.[0] ?? null;
        const refused = codesIn(output).filter(
          (code) => code !== 0 && (time === "first" || !EXISTS.includes(code)),
        );
        const unsaid = says.filter((words) => !isLineOf(output, words));
        const seen = { time, commands, output };
        expect({ ...seen, exit, broken, refused, unsaid }).toEqual({
          ...seen,
          exit: 0,
          broken: null,
          refused: [],
          unsaid: [],
        });
      }
    }
    const names = await shell.paste(
      `first "$FIRST/replication/api/task/page/demo" | field '.records.map(({name}) => name).sort().join()'`,
    );
    expect(names.output.trim()).toBe(
      "app-to-mirror,files-by-night,files-to-second,uploads-to-second",
    );
    const run = await shell.paste("KEY=$(task files-to-second); record workflowId");
    expect(run.output).toMatch(/^repl\/files-to-second\/[0-9a-f]+\/[0-9a-f]+\n$/);
  });

  test("the address of the API leads a browser to Temporal's UI, where each instance knows its own", async ({
    skip,
  }) => {
    const { atPorts } = walk ?? skip(`${name} is not available`);
    const pageAt = async (port: number) => {
      const url = atPorts(`http://127.0.0.1:${port}/`);
      return (await fetch(url, { headers: { accept: "text/html" } })).text();
    };
    const ui = atPorts("http://127.0.0.1:8233");
    expect(await pageAt(8080)).toContain(`href="${ui}"`);
    expect(await pageAt(8081)).toContain("a Temporal server that it did not start");
    expect((await fetch(ui)).status).toBe(200);
  });

  test("field prints the message of an answer that is an error, and says so when there is none", async ({
    skip,
  }) => {
    const { shell, atPorts } = walk ?? skip(`${name} is not available`);
    await shell.paste(atPorts(blocks[0]?.commands ?? ""));
    const missing = await shell.paste(
      "first $FIRST/replication/api/task/info/nothing | field .key",
    );
    expect(missing.output.trim()).toBe("replica task [nothing] is not found");
    const empty = await shell.paste(
      `first "$FIRST/replication/api/task/page/demo?name=nobody" | field '.records[0].key'`,
    );
    expect(empty.output.trim()).toBe("the answer has no .records[0].key");
    const gone = await shell.paste("first http://127.0.0.1:1/ | field .id");
    expect(gone.output).toMatch(/curl: \(7\)[^]*no answer that is JSON\n$/);
    expect([missing.exit, empty.exit, gone.exit]).toEqual([1, 1, 1]);
  });
});

const isLineOf = (output: string, words: string): boolean =>
  new RegExp(`^\\s*${words},?$`, "m").test(output);

/** Returns the codes of the API's answers in an output, one answer in a line. */
const codesIn = (output: string): number[] =>
  [...output.matchAll(/^\{"code":(\d+),/gm)].map(([, code]) => Number(code));
