/** About a tenth of V8's default stack, which is just under 1 MB. */
const tenth = 1500;

/**
 * Whether enough stack is left to deliver an error and tear a flow down. Synchronous recursion in RxJS (`expand`, a
 * recursive `mergeMap`) can exhaust it; code in a `catch` or `finally` then fails, too.
 *
 * @param tenths how much to look for, in tenths of the stack; each takes a few microseconds
 */
export function hasHeadroom(tenths = 1): boolean {
  try {
    return descend(tenths * tenth) === 0;
  } catch {
    return false;
  }
}

function descend(depth: number): number {
  return depth === 0 ? 0 : descend(depth - 1);
}
