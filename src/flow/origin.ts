const origins = new WeakMap<object, string>();

/** Notes the operator in which an error arose, unless that is known: it is the first on the error's way that catches it. */
export function noteOrigin(error: unknown, operator: string): void {
  if (typeof error === 'object' && error !== null && !origins.has(error)) origins.set(error, operator);
}

/**
 * The operator in which an error arose, by its id or its name; told once, as the same error may be thrown again elsewhere.
 * Errors stay what they are: nothing is written to them.
 */
export function takeOrigin(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const origin = origins.get(error);
  origins.delete(error);
  return origin;
}
