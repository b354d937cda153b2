export type Bell = ReturnType<typeof createBell>;

/** Wakes a workflow that waits. Rings that were not heard yet count as one. */
export function createBell() {
  let rung = false;
  let next = open();
  return {
    ring(): void {
      rung = true;
      next.resolve();
    },
    isRung: () => rung,
    /** Returns whether it rang since the last call. */
    heard(): boolean {
      const was = rung;
      if (was) next = open();
      rung = false;
      return was;
    },
    /** Resolves at the next ring, or at once when a ring was not heard yet. */
    rings: () => next.ringing,
  };
}

function open() {
  const resolvers: (() => void)[] = [];
  const ringing = new Promise<void>((resolve) => resolvers.push(resolve));
  return { ringing, resolve: () => resolvers.forEach((resolve) => resolve()) };
}
