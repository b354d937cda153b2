export type Bell = ReturnType<typeof createBell>;

/**
 * Creates a bell, which wakes a workflow that waits. Several rings before the next `heard` count as one.
 */
export function createBell() {
  let rung = false;
  let next = open();
  return {
    ring(): void {
      rung = true;
      next.resolve();
    },
    isRung: () => rung,
    /** Returns whether the bell rang since the last call. */
    heard(): boolean {
      const was = rung;
      if (was) next = open();
      rung = false;
      return was;
    },
    /** Resolves at the next ring, or at once when the bell rang since the last `heard`. */
    rings: () => next.ringing,
  };
}

function open() {
  const resolvers: (() => void)[] = [];
  const ringing = new Promise<void>((resolve) => resolvers.push(resolve));
  return { ringing, resolve: () => resolvers.forEach((resolve) => resolve()) };
}
