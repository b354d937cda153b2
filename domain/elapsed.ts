/**
 * Returns milliseconds on a clock that nobody sets: it never goes back, and only its differences mean anything.
 * Every interval within a process is measured with it. The wall clock, which may be set at any time, is for what is
 * shown or stored, and for what is compared with stored times.
 */
export const elapsed = (): number => performance.now();

/**
 * Whether less than `life` ms have passed since `then`, by a clock that may be set: after it was put back, what was
 * noted in its future counts as old, so that it is looked up again.
 */
export const isFresh = (then: number, life: number, now: number): boolean =>
  now >= then && now - then < life;
