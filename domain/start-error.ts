/**
 * A process cannot start with its settings or in its surroundings, and trying again would not help. The message
 * says what is wrong, with what, and what to do; it is shown without a stack.
 */
export class StartError extends Error {
  override readonly name = "StartError";
}
