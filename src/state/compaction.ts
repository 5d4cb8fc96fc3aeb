/**
 * Which segments to merge: size-tiered.
 *
 * A segment's level is its size tier: up to 256 KiB is level 0, and each level is four times the one before. Older
 * segments are usually larger; one that is not counts as being of the highest level among those younger than it, so
 * that levels never rise from old to young. As soon as four neighbours share a level, they are merged. So there are never more than three
 * segments a level for long: their number is logarithmic in the size of the state, and so is how often an entry is
 * rewritten.
 */
const base = 256 * 1024;
const fan = 4;
/** Inputs of one merge: bounds its memory. */
const widest = 16;

export function levelOf(bytes: number): number {
  return bytes <= base ? 0 : Math.ceil(Math.log(bytes / base) / Math.log(fan));
}

/** The neighbours to merge, `first` to `end` (exclusive), of segments in order from old to young; the youngest run first. */
export function planCompaction(
  segments: readonly { readonly level: number }[],
): { readonly first: number; readonly end: number } | undefined {
  let level = -1;
  let end = segments.length;
  for (let i = segments.length - 1; i >= -1; i--) {
    const own = Math.max(level, segments[i]?.level ?? Infinity);
    if (own === level) continue;
    if (end - i - 1 >= fan) return { first: Math.max(i + 1, end - widest), end };
    level = own;
    end = i + 1;
  }
  return undefined;
}
