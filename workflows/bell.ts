export type Bell = ReturnType<typeof createBell>;

/** What wakes a workflow that waits. Any number of rings are one, until it is heard. */
export function createBell() {
  let rung = false;
  let next = open();
  return {
    ring(): void {
      rung = true;
      next.resolve();
    },
    isRung: () => rung,
    /** True when it rang since it was heard last. */
    heard(): boolean {
      const was = rung;
      if (was) next = open();
      rung = false;
      return was;
    },
    /** Resolves with the next ring, or at once when one was not heard yet. */
    rings: () => next.ringing,
  };
}

function open() {
  const resolvers: (() => void)[] = [];
  const ringing = new Promise<void>((resolve) => resolvers.push(resolve));
  return { ringing, resolve: () => resolvers.forEach((resolve) => resolve()) };
}
