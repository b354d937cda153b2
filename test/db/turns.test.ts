import { describe, expect, test } from "vitest";
import { hashTurn } from "../../activities/store/hash-turns.ts";
import { inPages } from "../../db/pages.ts";
import { inTurn, turn } from "../../db/turns.ts";

/** Counts the rounds of the event loop until `stop`. The loop reads input once in each round. */
function watchLoop(): { rounds: () => number; stop: () => void } {
  let rounds = 0;
  let next = setImmediate(function count() {
    rounds += 1;
    next = setImmediate(count);
  });
  return { rounds: () => rounds, stop: () => clearImmediate(next) };
}

describe("long work on the database", () => {
  test("database work runs one piece per round of the event loop, even if many loops of it run at once", async () => {
    const loop = watchLoop();
    const seen: number[] = [];
    const work = async () => {
      for (let stretch = 0; stretch < 20; stretch += 1)
        await inTurn(() => seen.push(loop.rounds()));
    };
    await Promise.all(Array.from({ length: 50 }, work));
    loop.stop();
    expect(seen).toHaveLength(1_000);
    expect(seen.filter((round, at) => at > 0 && round - (seen[at - 1] ?? 0) < 1)).toEqual(
      [],
    );
  });

  test("loops of database work take turns in the order in which they came", async () => {
    const order: string[] = [];
    const work = async (name: string) => {
      for (let stretch = 0; stretch < 3; stretch += 1) {
        await turn();
        order.push(name);
      }
    };
    await Promise.all(["a", "b", "c"].map(work));
    expect(order.join("")).toBe("abcabcabc");
  });

  test("database work that an answer waits for goes first, and other database work still gets its turns", async () => {
    const order: string[] = [];
    const loop = async (name: string, lane: "answer" | "work") => {
      for (let stretch = 0; stretch < 3; stretch += 1)
        await inTurn(() => order.push(name), lane);
    };
    await Promise.all([
      loop("w", "work"),
      loop("v", "work"),
      loop("x", "answer"),
      loop("y", "answer"),
    ]);
    expect(order.join("")).toBe("xwyvxwyvxwyv");
  });

  test("a record with one piece of database work does not wait behind all pieces of another", async () => {
    const order: string[] = [];
    const piece = (name: string, whose: string | null) =>
      inTurn(() => order.push(name), "answer", whose);
    await Promise.all([
      ...Array.from({ length: 4 }, () => piece("a", "large")),
      ...Array.from({ length: 2 }, () => piece("b", "other")),
      piece("c", "small"),
      piece("d", null),
      piece("e", null),
    ]);
    expect(order.join("")).toBe("abcdeabaa");
  });

  test("waiting database work goes on after one piece of work has thrown", async () => {
    const failing = inTurn(() => {
      throw new Error("the disk is full");
    });
    await expect(failing).rejects.toThrow("the disk is full");
    let left = 3;
    await inPages(() => left--);
    expect(left).toBe(-1);
  });
});

describe("request bodies that arrive at once", () => {
  test("request bodies are hashed in order of arrival, at most 128 KiB per round of the event loop", async () => {
    const loop = watchLoop();
    const seen: { body: number; round: number }[] = [];
    const take = async (body: number) => {
      for (let piece = 0; piece < 4; piece += 1) {
        await hashTurn(64 * 1024);
        seen.push({ body, round: loop.rounds() });
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, body) => take(body)));
    loop.stop();
    expect(seen.map(({ body }) => body)).toEqual(
      Array.from({ length: 40 }, (_, at) => at % 10),
    );
    const rounds = seen.map(({ round }) => round);
    expect(
      rounds.filter((round) => rounds.filter((other) => other === round).length > 2),
    ).toEqual([]);
  });

  test("a request body with large pieces is hashed without delay when no other body arrives", async () => {
    const taken: number[] = [];
    for (let piece = 0; piece < 3; piece += 1)
      await hashTurn(4 * 1024 ** 2).then(() => taken.push(piece));
    expect(taken).toEqual([0, 1, 2]);
  });
});
