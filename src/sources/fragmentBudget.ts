/**
 * How the budget of the planner of fragments (`fragments.ts`) is divided among objects: which of them comes next, and
 * whether there is room for it.
 */

export interface FragmentLimits {
  /** Fragments ahead of the one that is being consumed. At least 1. */
  readonly window: number;
  /** Bytes of a fragment. At least 1. */
  readonly fragment: number;
  /** Concurrent requests. Default: as many as the window and the lanes allow. */
  readonly requests?: number;
  /** The number of lanes: objects that are read at the same time. Default 1. */
  readonly objects?: number;
}

/** An object to be read, from byte `from` (as stored) to its end, in the version that `etag` names. */
export interface PlannedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly from: number;
  /** Bytes from here on are fetched only when the reader has no others left, few at first. Default: the size. */
  readonly end?: number;
}

/** A range of an object: bytes `start` to `end`, end exclusive. Empty ones need no request. */
export interface Fragment<O extends PlannedObject> {
  readonly id: number;
  readonly object: O;
  readonly start: number;
  readonly end: number;
  /** Bytes that it counts in the budget. */
  readonly counts: number;
}

/** An object that is not read to its end. */
export interface ObjectPlan<O extends PlannedObject> {
  readonly object: O;
  /** Where its next fragment starts; `undefined` if there is none. */
  readonly next: number | undefined;
  /** Started and not consumed, in order. */
  readonly queue: readonly { readonly fragment: Fragment<O>; readonly here: boolean }[];
  /** The id of the fragment that was started last; -1 if none was. */
  readonly last: number;
}

export interface FragmentState<O extends PlannedObject> {
  readonly limits: FragmentLimits;
  /** In the order in which they came. The first ones have lanes. */
  readonly plans: readonly ObjectPlan<O>[];
  /** The sum of `counts` in all queues. */
  readonly held: number;
  /** The limit of `held`. */
  readonly memory: number;
  readonly objects: 'idle' | 'asked' | 'over';
  readonly nextId: number;
  readonly closed: boolean;
}

/** So much of an object is fetched at a time however little memory there is, or a fragment if that is less. Bytes. */
export const smallest = 64 * 1024;

/** The maximum number of requests in flight per fragment of the window: more than one, for small objects. */
const requestsPerFragment = 2;
/** The maximum number of fragments held per fragment of the window, because tiny ones have overhead. */
const heldPerFragment = 16;

/** Bytes that an object counts in the budget. */
export const heldBy = <O extends PlannedObject>({ queue }: ObjectPlan<O>): number =>
  queue.reduce((sum, { fragment }) => sum + fragment.counts, 0);

/** Bytes of its next fragment, if there is one and memory for it. */
export function nextBytes<O extends PlannedObject>(
  { object: { size, end = size }, next = size }: ObjectPlan<O>,
  fragment: number,
): number {
  const to = next < end ? end : next + Math.max(smallest, next - end);
  return Math.max(0, Math.min(fragment, Math.min(to, size) - next));
}

/** The index of the object whose fragment comes next, if any. */
export function nextToCut<O extends PlannedObject>({
  plans,
  limits,
  objects,
}: FragmentState<O>): number | undefined {
  const { objects: lanes = 1, window, fragment } = limits;
  const shares = Math.min(lanes, objects === 'over' ? plans.length : plans.length + 1);
  const share = shares === 1 ? Infinity : Math.max(fragment, (window * fragment) / shares);
  let best: { readonly at: number; readonly rank: number; readonly last: number } | undefined;
  for (const [at, plan] of plans.entries()) {
    const { next, object, queue, last } = plan;
    if (next === undefined || (queue.length > 0 && next >= (object.end ?? Infinity))) continue;
    const rank = at >= lanes ? 2 : queue.length > 0 ? 1 : 0;
    const ahead = heldBy(plan) - (at < lanes ? consumedOf(plan) : 0);
    if (rank > 0 && ahead + nextBytes(plan, fragment) > share) continue;
    // The next objects in order.
    const order = rank === 2 ? at : last;
    if (best === undefined || rank < best.rank || (rank === best.rank && order < best.last))
      best = { at, rank, last: order };
  }
  return best?.at;
}

/** The bytes of the fragment that is being consumed, if the object has a lane. */
const consumedOf = <O extends PlannedObject>({ queue: [head] }: ObjectPlan<O>): number =>
  head?.here === true ? head.fragment.counts : 0;

/** Each lane's part of the memory, at most a fragment. */
const guaranteed = <O extends PlannedObject>({ limits, memory }: FragmentState<O>): number =>
  Math.min(limits.fragment, Math.floor(memory / (limits.objects ?? 1)));

const inFlight = <O extends PlannedObject>(plans: readonly ObjectPlan<O>[]): number =>
  plans.reduce((sum, { queue }) => sum + queue.reduce((count, { here }) => count + (here ? 0 : 1), 0), 0);

/**
 * How many of the `whole` bytes of its next fragment a lane without a fragment gets: its part of the memory, but little if
 * the others hold more than is left, because there is less memory than before. `undefined`: it has to wait.
 */
export function headBytes<O extends PlannedObject>(
  state: FragmentState<O>,
  whole: number,
): number | undefined {
  const { held, memory, plans, limits } = state;
  const part = Math.min(whole, guaranteed(state));
  if (part < Math.min(1, whole) || inFlight(plans) >= (limits.requests ?? Infinity)) return undefined;
  return held + part <= memory ? part : Math.min(part, smallest);
}

/** Whether `bytes` more may be fetched ahead, with enough left for the lanes of the others. */
export function hasRoom<O extends PlannedObject>(
  state: FragmentState<O>,
  plan: ObjectPlan<O> | undefined,
  bytes: number,
): boolean {
  const { plans, held, memory, limits } = state;
  const { objects: lanes = 1, window, fragment } = limits;
  if (plans.length === 0) return held + bytes <= memory;
  const each = guaranteed(state);
  const others = plans.reduce((sum, other) => sum + (other === plan ? 0 : Math.min(each, heldBy(other))), 0);
  const reserved = Math.max(0, (lanes - 1) * each - others);
  const consumed = plans.slice(0, lanes).reduce((sum, lane) => sum + consumedOf(lane), 0);
  const fragments = plans.reduce((sum, { queue }) => sum + queue.length, 0);
  return (
    held + bytes + reserved <= memory &&
    held - consumed + bytes <= window * fragment &&
    inFlight(plans) < (limits.requests ?? window * requestsPerFragment) &&
    fragments < window * heldPerFragment
  );
}
