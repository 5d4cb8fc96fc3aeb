/**
 * Size-tiered compaction: which runs of segments to merge.
 *
 * A run's level is its size tier: level 0 is up to 256 KiB, and each level is `trigger` times as large as the one
 * before. Older runs are usually larger. One that is smaller counts as being at the highest level among the younger
 * ones, so that levels never rise from old to young. As soon as `trigger` neighbours share a level, they are merged.
 * So the number of runs is logarithmic in the size of the state, and so is the number of times a cell is rewritten.
 */
const base = 256 * 1024;
/** Most inputs of one merge; bounds its memory. */
const widest = 16;

export function levelOf(bytes: number, trigger: number): number {
  return bytes <= base ? 0 : Math.ceil(Math.log(bytes / base) / Math.log(trigger));
}

/**
 * The neighbours to merge, `first` to `end` (exclusive); prefers the youngest. `runs` has their sizes in bytes,
 * oldest first.
 */
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
