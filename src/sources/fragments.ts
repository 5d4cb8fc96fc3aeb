/**
 * Plans which ranges of which objects are fetched when, as a pure `step(state, event)`.
 *
 * Objects come one by one in their order and are cut into fragments; fragments are fetched ahead of the reader, several
 * at a time, and consumed in order within their object. The first `objects` of those that are not read to their end have
 * a **lane** each: the reader may read them in turn. The objects after them are also fetched ahead, and get a lane when
 * one before them is over. So small objects are read ahead like one large one.
 *
 * All objects of the source share one budget of `window` × `fragment` bytes, for fragments that are being fetched and
 * those that have arrived. A fragment counts with its bytes. The fragment of a lane that is being consumed does not count,
 * so that connections are not idle meanwhile. Two rules keep a lane that stands still from stopping the others:
 *
 * - A lane without a fragment gets one, whatever the others hold. What they leave of the memory is enough for it; should that
 *   become less meanwhile, it still gets a small one. So never more than the budget and one fragment for each lane are
 *   held.
 * - No object holds more than its share of the budget: as many parts as there are lanes in use and, if more objects may
 *   come, one more lane.
 *
 * 1. The planner asks for an object (`nextObject`) whenever a lane is free, or it has nothing left to cut and room to fetch.
 * 2. It starts fragments (`get`), as long as they fit into the budget and the memory (`memory`): those of lanes that have
 *    none, then those of the lane whose last one was started first, then those of the next objects in order. The first ones
 *    grow: 1/w of a fragment, 2/w, … up to a whole one (`w` is the window), though each counts as a whole one. So the
 *    first records come early, and the fragments of a window do not all arrive together, which would leave the
 *    connections idle while the reader consumes a window. Nothing keeps them apart later on. Beyond its `end`, an object is
 *    fetched only when its lane has nothing left: little at first, then as much again as was fetched there.
 * 3. `arrived` marks a fragment; the driver hands out the chunks of each object's head when that has arrived.
 * 4. `consumed` drops an object's head and frees its bytes. An object without anything left is over.
 * 5. `dropped` removes every fragment of an object that is read as far as it is wanted, or cannot be read, and cuts no more of it.
 * 6. `close` aborts every fragment in flight (`abort`), and from then on no event has an effect.
 *
 * A failed fragment fails the source, unless its object is dropped: the store's decorators retry requests.
 */

import {
  hasRoom,
  headBytes,
  heldBy,
  nextBytes,
  nextToCut,
  type Fragment,
  type FragmentLimits,
  type FragmentState,
  type ObjectPlan,
  type PlannedObject,
} from './fragmentBudget.js';

export type FragmentEvent<O extends PlannedObject> =
  | { readonly type: 'start' }
  /** `from`: where to start cutting it. Default: where it is read from. */
  | { readonly type: 'object'; readonly object: O; readonly from?: number }
  | { readonly type: 'noMoreObjects' }
  | { readonly type: 'arrived'; readonly id: number }
  | { readonly type: 'consumed'; readonly object: O }
  | { readonly type: 'dropped'; readonly object: O }
  /** Bytes that it may hold. */
  | { readonly type: 'memory'; readonly limit: number }
  | { readonly type: 'close' };

export type FragmentEffect<O extends PlannedObject> =
  | { readonly type: 'nextObject' }
  | { readonly type: 'get'; readonly fragment: Fragment<O> }
  | { readonly type: 'abort'; readonly id: number };

export function planFragments<O extends PlannedObject>(limits: FragmentLimits): FragmentState<O> {
  return { limits, plans: [], held: 0, memory: Infinity, objects: 'idle', nextId: 0, closed: false };
}

interface Step<O extends PlannedObject> {
  readonly state: FragmentState<O>;
  readonly effects: readonly FragmentEffect<O>[];
}

export function stepFragments<O extends PlannedObject>(
  state: FragmentState<O>,
  event: FragmentEvent<O>,
): Step<O> {
  if (state.closed) return { state, effects: [] };
  const { plans } = state;
  switch (event.type) {
    case 'start':
      return proceed(state);
    case 'object': {
      const { object, from: next = object.from } = event;
      return proceed({ ...state, objects: 'idle', plans: [...plans, { object, next, queue: [], last: -1 }] });
    }
    case 'noMoreObjects':
      return proceed({ ...state, objects: 'over' });
    case 'arrived': {
      const arrive = (entry: ObjectPlan<O>['queue'][number]): typeof entry =>
        entry.fragment.id === event.id ? { ...entry, here: true } : entry;
      return proceed({
        ...state,
        plans: plans.map((plan) =>
          plan.queue.some(({ fragment }) => fragment.id === event.id)
            ? { ...plan, queue: plan.queue.map(arrive) }
            : plan,
        ),
      });
    }
    case 'consumed': {
      const at = plans.findIndex(({ object }) => object === event.object);
      const [head, ...queue] = plans[at]?.queue ?? [];
      if (head === undefined) return { state, effects: [] };
      const rest = { ...(plans[at] as ObjectPlan<O>), queue };
      const over = queue.length === 0 && rest.next === undefined;
      return proceed({
        ...state,
        plans: [...plans.slice(0, at), ...(over ? [] : [rest]), ...plans.slice(at + 1)],
        held: state.held - head.fragment.counts,
      });
    }
    case 'dropped': {
      const dropped = plans.filter(({ object }) => object === event.object);
      const { state: next, effects } = proceed({
        ...state,
        plans: plans.filter(({ object }) => object !== event.object),
        held: state.held - dropped.reduce((sum, plan) => sum + heldBy(plan), 0),
      });
      return { state: next, effects: [...aborts(dropped), ...effects] };
    }
    case 'memory':
      return proceed({ ...state, memory: event.limit });
    case 'close':
      return { state: { ...state, plans: [], held: 0, closed: true }, effects: aborts(plans) };
  }
}

const aborts = <O extends PlannedObject>(plans: readonly ObjectPlan<O>[]): FragmentEffect<O>[] =>
  plans.flatMap(({ queue }) =>
    queue.flatMap(({ fragment, here }) => (here ? [] : [{ type: 'abort', id: fragment.id }])),
  );

/** Starts all fragments that fit. */
function proceed<O extends PlannedObject>(before: FragmentState<O>): Step<O> {
  const effects: FragmentEffect<O>[] = [];
  const { objects: lanes = 1, fragment: most } = before.limits;
  let state = before;
  const ask = (): Step<O> => ({
    state: { ...state, objects: 'asked' },
    effects: [...effects, { type: 'nextObject' }],
  });
  for (;;) {
    const { plans, objects, held, memory, nextId } = state;
    const at = nextToCut(state);
    const plan = at === undefined ? undefined : plans[at];
    const starved = plan?.queue.length === 0 && at !== undefined && at < lanes;
    // Before the others read ahead, so that every lane gets its share.
    if (!starved && objects === 'idle' && plans.length < lanes && memory > 0) return ask();
    if (plan?.next === undefined) {
      return objects === 'idle' && hasRoom(state, undefined, 1) ? ask() : { state, effects };
    }
    const start = plan.next;
    const { object } = plan;
    const whole = nextBytes(plan, most);
    // What has to be read next is read in smaller pieces if there is no memory for a whole one.
    const counts = starved ? headBytes(state, whole) : hasRoom(state, plan, whole) ? whole : undefined;
    if (counts === undefined) return { state, effects };
    const size = Math.min(counts, growing(before.limits, nextId));
    const fragment: Fragment<O> = { id: nextId, object, start, end: start + size, counts };
    const here = size === 0;
    if (!here) effects.push({ type: 'get', fragment });
    const cut: ObjectPlan<O> = {
      object,
      next: start + size < object.size ? start + size : undefined,
      queue: [...plan.queue, { fragment, here }],
      last: nextId,
    };
    state = {
      ...state,
      plans: plans.map((each) => (each === plan ? cut : each)),
      held: held + counts,
      nextId: nextId + 1,
    };
  }
}

const growing = ({ window, fragment }: FragmentLimits, id: number): number =>
  Math.ceil((fragment * Math.min(id + 1, window)) / window);

/** Whether nothing is left and nothing will come. */
export const fragmentsOver = <O extends PlannedObject>({ objects, plans }: FragmentState<O>): boolean =>
  objects === 'over' && plans.length === 0;
