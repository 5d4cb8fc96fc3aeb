/** From one place to another, by names. */

/** A place: the names that lead to it from the root, without `.` and `..`, and whether it is a directory. */
interface Place {
  readonly names: readonly string[];
  readonly directory: boolean;
}

/** Takes `.` and `..` out; above the root there is nothing. */
export function descend(names: readonly string[]): string[] {
  const steps: string[] = [];
  for (const name of names) {
    if (name === '..') steps.pop();
    else if (name !== '.' && name !== '') steps.push(name);
  }
  return steps;
}

/**
 * The way from `base` to `target`; empty if they are the same. Where it only goes up, to an object rather than to a directory, it
 * goes up one more and down by name, since `..` is a directory: from `a/b` to `a` it is `../../a`, and to `a/` it is `..`.
 */
export function relativeText(base: Place, target: Place): string {
  let common = 0;
  while (common < base.names.length && base.names[common] === target.names[common]) common += 1;
  const up = base.names.length - common;
  const down = target.names.slice(common);
  if (down.length > 0) return '../'.repeat(up) + down.join('/') + (target.directory ? '/' : '');
  if (up === 0 && base.directory === target.directory) return '';
  if (!target.directory) return '../'.repeat(up + 1) + (target.names.at(-1) ?? '');
  return up === 0 ? '.' : Array<string>(up).fill('..').join('/');
}
