/** The model of keyed state: plain collections, in which each value has the time at which it was written. */
import fc from 'fast-check';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
  type Handles,
  type Key,
  type KeyedStateOptions,
  type PendingTimer,
} from '../../../src/state/index.js';
import { encodeKey, storedKey } from '../../../src/state/keys/keys.js';
import type { TtlOptions } from '../../../src/state/kinds/ttl.js';
import { fewKeys } from '../arbitraries.js';

export const specsWith = (ttl?: TtlOptions) => {
  const options = (ttl === undefined ? {} : { ttl }) as KeyedStateOptions<never>;
  return {
    n: valueState(0, options as KeyedStateOptions<number>),
    highest: reducingState((a: number, b: number) => Math.max(a, b), options as KeyedStateOptions<number>),
    all: aggregatingState(
      {
        create: (): readonly number[] => [],
        add: (numbers, n: number) => [...numbers, n],
        result: (numbers) => numbers,
      },
      options as KeyedStateOptions<readonly number[]>,
    ),
    list: listState<number>(options),
    map: mapState<Key, number>(options),
    event: timers('event'),
    processing: timers('processing'),
  };
};
export type Specs = ReturnType<typeof specsWith>;

export const namespaces: readonly (Key | undefined)[] = [undefined, '', 'w1', [1, 2]];
const names: readonly Key[] = ['x', 'y', 7, ['z', 1]];

export const idOf = (key: Key | undefined): string =>
  key === undefined ? '' : Buffer.from(encodeKey(storedKey(key))).toString('hex');

type At<V> = readonly [value: V, time: number];

/** What the states hold at one key and namespace. */
export interface Place {
  readonly n?: At<number> | undefined;
  readonly highest?: At<number> | undefined;
  readonly all?: At<readonly number[]> | undefined;
  readonly list: readonly At<number>[];
  readonly map: ReadonlyMap<string, At<number>>;
  readonly event: readonly number[];
  readonly processing: readonly number[];
}

export const nowhere: Place = { list: [], map: new Map(), event: [], processing: [] };

/** A {@link Place} as it is read, without times. */
export interface Held {
  readonly n: number | undefined;
  readonly highest: number | undefined;
  readonly all: readonly number[] | undefined;
  readonly list: readonly number[];
  readonly map: ReadonlyMap<string, number>;
  readonly event: readonly number[];
  readonly processing: readonly number[];
}

export const heldIn = ({ n, highest, all, list, map, event, processing }: Place): Held => ({
  n: n?.[0],
  highest: highest?.[0],
  all: all?.[0],
  list: list.map(([value]) => value),
  map: new Map([...map].map(([name, [value]]) => [name, value])),
  event,
  processing,
});

/** What has not expired. */
export function live(place: Place, isOver: (time: number) => boolean): Place {
  const kept = <V>(each: At<V> | undefined): At<V> | undefined =>
    each === undefined || isOver(each[1]) ? undefined : each;
  return {
    ...place,
    n: kept(place.n),
    highest: kept(place.highest),
    all: kept(place.all),
    list: place.list.filter(([, time]) => !isOver(time)),
    map: new Map([...place.map].filter(([, [, time]]) => !isOver(time))),
  };
}

/** Each of its values that is read counts as written then. */
export function renewed(place: Place, now: number, isOver: (time: number) => boolean): Place {
  const at = <V>(each: At<V>): At<V> => (isOver(each[1]) ? each : [each[0], now]);
  return {
    ...place,
    n: place.n && at(place.n),
    highest: place.highest && at(place.highest),
    all: place.all && at(place.all),
    list: place.list.map(at),
    map: new Map([...place.map].map(([name, each]) => [name, at(each)])),
  };
}

/** What is left of a place in which some of what has expired was found missing. */
export function without(place: Place, found: Held, isOver: (time: number) => boolean): Place {
  const left = <V>(each: At<V> | undefined, value: V | undefined): At<V> | undefined =>
    each !== undefined && value === undefined && isOver(each[1]) ? undefined : each;
  const expired = place.list.filter(([, time]) => isOver(time)).length;
  return {
    ...place,
    n: left(place.n, found.n),
    highest: left(place.highest, found.highest),
    all: left(place.all, found.all),
    list: place.list.slice(Math.min(expired, Math.max(0, place.list.length - found.list.length))),
    map: new Map([...place.map].filter(([name, [, time]]) => found.map.has(name) || !isOver(time))),
  };
}

/** Mostly the same few, so that much happens to each. */
export const spots = {
  key: fc.oneof({ weight: 5, arbitrary: fc.constantFrom<Key[]>('a', 1) }, { weight: 1, arbitrary: fewKeys }),
  namespace: fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constantFrom(...namespaces) },
  ),
};

const verbs = [
  'append',
  'append',
  'append',
  'append',
  'append three',
  'set list',
  'clear list',
  'put',
  'put',
  'remove',
  'clear map',
  'set value',
  'update value',
  'clear value',
  'add',
  'clear highest',
  'average',
  'clear all',
  'set event timer',
  'set event timer',
  'clear event timer',
  'set processing timer',
  'clear processing timer',
] as const;

export interface Change {
  readonly do: (typeof verbs)[number];
  readonly key: Key;
  readonly namespace: Key | undefined;
  readonly name: Key;
  readonly value: number;
  /** Whether the change is reverted within its turn. */
  readonly undone: boolean;
}

export const changes: fc.Arbitrary<Change> = fc.record({
  do: fc.constantFrom(...verbs),
  ...spots,
  name: fc.constantFrom(...names),
  value: fc.nat(20),
  undone: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

/** The handles of a namespace, or those of none. Timers have none. */
function inSpace(handles: Handles<Specs>, namespace: Key | undefined): Handles<Specs> {
  if (namespace === undefined) return handles;
  const { n, highest, all, list, map } = handles;
  return {
    ...handles,
    n: n.in(namespace),
    highest: highest.in(namespace),
    all: all.in(namespace),
    list: list.in(namespace),
    map: map.in(namespace),
  };
}

export function apply(handles: Handles<Specs>, { do: what, namespace, name, value }: Change): void {
  const { n, highest, all, list, map, event, processing } = inSpace(handles, namespace);
  if (what === 'append') list.append(value);
  else if (what === 'append three') list.append(value, value + 1, value + 2);
  else if (what === 'set list') list.set([value, value]);
  else if (what === 'clear list') list.clear();
  else if (what === 'put') map.set(name, value);
  else if (what === 'remove') map.delete(name);
  else if (what === 'clear map') map.clear();
  else if (what === 'set value') n.set(value);
  else if (what === 'update value') n.update((before) => before + value);
  else if (what === 'clear value') n.clear();
  else if (what === 'add') highest.add(value);
  else if (what === 'clear highest') highest.clear();
  else if (what === 'average') all.add(value);
  else if (what === 'clear all') all.clear();
  else if (what === 'set event timer') event.set(value, namespace);
  else if (what === 'clear event timer') event.clear(value, namespace);
  else if (what === 'set processing timer') processing.set(value, namespace);
  else processing.clear(value, namespace);
}

/** The model of {@link apply}, on what a turn finds. */
export function changed(before: Place, { do: what, name, value }: Change, now: number): Place {
  const { n, highest, all, list, map } = before;
  const added = (to: readonly number[]): number[] => [...new Set([...to, value])].sort((a, b) => a - b);
  switch (what) {
    case 'append':
      return { ...before, list: [...list, [value, now]] };
    case 'append three':
      return { ...before, list: [...list, [value, now], [value + 1, now], [value + 2, now]] };
    case 'set list':
      return {
        ...before,
        list: [
          [value, now],
          [value, now],
        ],
      };
    case 'clear list':
      return { ...before, list: [] };
    case 'put':
      return { ...before, map: new Map([...map, [idOf(name), [value, now]]]) };
    case 'remove':
      return { ...before, map: new Map([...map].filter(([each]) => each !== idOf(name))) };
    case 'clear map':
      return { ...before, map: new Map() };
    case 'set value':
      return { ...before, n: [value, now] };
    case 'update value':
      return { ...before, n: [(n?.[0] ?? 0) + value, now] };
    case 'clear value':
      return { ...before, n: undefined };
    case 'add':
      return { ...before, highest: [Math.max(highest?.[0] ?? value, value), now] };
    case 'clear highest':
      return { ...before, highest: undefined };
    case 'average':
      return { ...before, all: [[...(all?.[0] ?? []), value], now] };
    case 'clear all':
      return { ...before, all: undefined };
    case 'set event timer':
      return { ...before, event: added(before.event) };
    case 'clear event timer':
      return { ...before, event: before.event.filter((time) => time !== value) };
    case 'set processing timer':
      return { ...before, processing: added(before.processing) };
    case 'clear processing timer':
      return { ...before, processing: before.processing.filter((time) => time !== value) };
  }
}

/** What the handles of a key find in a namespace, by every way to read. */
export function read(specs: Specs, handles: Handles<Specs>, namespace: Key | undefined): Held {
  const { n, highest, all, list, map, event, processing } = inSpace(handles, namespace);
  const pending = (of: typeof event): number[] =>
    of
      .pending()
      .filter((timer) => idOf(timer.namespace) === idOf(namespace))
      .map(({ at }) => at)
      .sort((a, b) => a - b);
  const held = {
    n: specs.n.contents(n) as number | undefined,
    highest: highest.value,
    all: all.value,
    list: list.toArray(),
    map: new Map([...map].map(([name, value]) => [idOf(name), value])),
    event: pending(event),
    processing: pending(processing),
  };
  expect([list.length, list.at(-1), map.size]).toEqual([held.list.length, held.list.at(-1), held.map.size]);
  expect(
    [...map.keys()].filter((name) => !map.has(name) || map.get(name) !== held.map.get(idOf(name))),
  ).toEqual([]);
  return held;
}

/** What reads from outside find of one state, as {@link Held} has it. */
export function outside(name: keyof Specs, contents: unknown): unknown {
  if (name === 'map')
    return new Map([...((contents ?? []) as Iterable<[Key, number]>)].map(([of, n]) => [idOf(of), n]));
  if (name === 'list') return contents ?? [];
  if (name !== 'event' && name !== 'processing') return contents;
  return ((contents ?? []) as readonly PendingTimer[]).map(({ at }) => at).sort((a, b) => a - b);
}
