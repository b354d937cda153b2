/** An error that says what is wrong with a request. */
export class RequestError extends Error {}

/** Several errors of one request, in the order in which they are told. The first one decides the answer. */
export class RequestErrors extends RequestError {
  override readonly name = "RequestErrors";
  readonly errors: readonly RequestError[];

  constructor(errors: readonly RequestError[]) {
    super(errors.map(({ message }) => message).join("; "));
    this.errors = errors;
  }
}

/** Enough errors of one request to stop looking for more. */
const MOST_TOLD = 50;

/**
 * Applies a check to each entry and returns the results. Throws all RequestErrors of the checks together when there is
 * any, so that a client can mend all at once (the first 50); any other error is thrown at once.
 */
export function everyOf<A, B>(entries: readonly A[], check: (entry: A) => B): B[] {
  const results: B[] = [];
  const errors: RequestError[] = [];
  for (const entry of entries) {
    try {
      results.push(check(entry));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      for (const each of error instanceof RequestErrors ? error.errors : [error])
        errors.push(each);
      if (errors.length >= MOST_TOLD) break;
    }
  }
  const [first, ...others] = errors;
  if (first !== undefined) throw others.length === 0 ? first : new RequestErrors(errors);
  return results;
}

/** Makes all checks, which are independent, and throws their RequestErrors together. */
export function checkAll(...checks: (() => void)[]): void {
  everyOf(checks, (check) => check());
}

/** Makes all checks and then the last one as `checkAll` does, and returns the result of the last one. */
export function lastOf<T>(checks: readonly (() => void)[], last: () => T): T {
  const results: T[] = [];
  checkAll(...checks, () => void results.push(last()));
  // Safe: if `last` has thrown, checkAll has thrown, too.
  return results[0] as T;
}
