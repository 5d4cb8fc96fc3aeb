/** Computes relative paths. */

/** A normalized path from the root, without `.` and `..`. */
interface Place {
  readonly names: readonly string[];
  readonly directory: boolean;
}

/** Resolves `.` and `..`; above the root, `..` is ignored. */
export function descend(names: readonly string[]): string[] {
  const steps: string[] = [];
  for (const name of names) {
    if (name === '..') steps.pop();
    else if (name !== '.' && name !== '') steps.push(name);
  }
  return steps;
}

/**
 * The relative path from `base` to `target`; empty if they are the same. `..` is a directory, so the path up to an object goes
 * one level higher and down by name: from `a/b` to `a` it is `../../a`, and to `a/` it is `..`.
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
