/** Something that decodes foreign input. */
export interface Target {
  readonly name: string;
  /** Draws an input. Usually one that is right, with something changed. */
  draw(random: () => number): unknown;
  /**
   * Decodes it. May throw or reject: with a typed error whose code is one of `errors`. Anything else is a finding: another
   * error, a hang, or the process out of memory.
   */
  run(input: unknown): unknown;
  readonly errors: readonly string[];
  /** Of the inputs that others get, where one takes long. Default 1. */
  readonly share?: number;
}

/** A target with the type of its inputs. */
export function target<T>(of: {
  readonly name: string;
  readonly errors: readonly string[];
  readonly share?: number;
  draw(random: () => number): T;
  run(input: T): unknown;
}): Target {
  return of;
}
