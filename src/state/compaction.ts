/**
 * Which runs of segments to merge: size-tiered.
 *
 * A run's level is its size tier: up to 256 KiB is level 0, and each level is `trigger` times as large as the one
 * before. Older segments are usually larger; one that is not counts as being of the highest level among those younger than
 * it, so that levels never rise from old to young. As soon as `trigger` neighbours share a level, they are merged. So there
 * are never as many in a level for long: the number of runs is logarithmic in the size of the state, and so is how often
 * an entry is rewritten.
 */
const base = 256 * 1024;
/** Inputs of one merge: bounds its memory. */
const widest = 16;

export function levelOf(bytes: number, trigger: number): number {
  return bytes <= base ? 0 : Math.ceil(Math.log(bytes / base) / Math.log(trigger));
}

/** The neighbours to merge, `first` to `end` (exclusive), of runs of so many bytes, from old to young; the youngest neighbours first. */
export function planCompaction(
  runs: readonly number[],
  trigger: number,
): { readonly first: number; readonly end: number } | undefined {
  const levels = runs.map((bytes) => levelOf(bytes, trigger));
  let level = -1;
  let end = levels.length;
  for (let i = levels.length - 1; i >= -1; i--) {
    const own = Math.max(level, levels[i] ?? Infinity);
    if (own === level) continue;
    if (end - i - 1 >= trigger) return { first: Math.max(i + 1, end - widest), end };
    level = own;
    end = i + 1;
  }
  return undefined;
}
