/** The store requests and bytes of one checkpoint of one state, in simulated time on a memory store. */
import { listState, mapState, timers, valueState } from 'millrace';
import { SimulatedClock } from 'millrace/testing';
import { encodeKey } from '#src/state/index.js';
import { pack } from 'msgpackr';
import { createHash } from 'node:crypto';
import { OneState } from '../synthetic/backend.js';
import { entryName, keyNames } from '../synthetic/keys.js';

export interface Cost {
  readonly requests: number;
  readonly bytes: number;
}

/** One entry changes in each of `collections` collections of `size` entries. */
export async function changedEntries(
  kind: 'map' | 'list',
  collections: number,
  size: number,
): Promise<Cost & { readonly serialized: number }> {
  const keys = keyNames(collections);
  const names = Array.from({ length: size }, (_, i) => entryName(i));
  const change = (i: number): { readonly name: string; readonly value: string } => ({
    name: names[(i * 7919) % size]!,
    value: token(i),
  });
  const encoded = (key: string): number => encodeKey(key).length;
  if (kind === 'map') {
    const { state, clock } = simulated(mapState<string, string>());
    for (const key of keys)
      state.turn(key, (map) => {
        for (const name of names) map.set(name, '');
      });
    state.discard();
    keys.forEach((key, i) => {
      state.turn(key, (map) => {
        map.set(change(i).name, change(i).value);
      });
    });
    const serialized = keys.reduce(
      (sum, key, i) => sum + encoded(key) + encoded(change(i).name) + pack(change(i).value).length,
      0,
    );
    return { ...(await checkpointed(state, clock)), serialized };
  }
  const { state, clock } = simulated(listState<string>());
  for (const key of keys) state.turn(key, (list) => list.set(names));
  state.discard();
  keys.forEach((key, i) => {
    state.turn(key, (list) => list.append(change(i).value));
  });
  const serialized = keys.reduce((sum, key, i) => sum + encoded(key) + pack([change(i).value]).length, 0);
  return { ...(await checkpointed(state, clock)), serialized };
}

/** `cells` cells change: of as many keys, or of one key. */
export async function requestsOf(kind: 'values' | 'map' | 'timers', cells: number): Promise<Cost> {
  switch (kind) {
    case 'values': {
      const { state, clock } = simulated(valueState(0));
      keyNames(cells).forEach((key, i) => {
        state.turn(key, (value) => value.set(i));
      });
      return checkpointed(state, clock);
    }
    case 'map': {
      const { state, clock } = simulated(mapState<string, number>());
      state.turn('all', (map) => {
        for (let i = 0; i < cells; i++) map.set(entryName(i), i);
      });
      return checkpointed(state, clock);
    }
    case 'timers': {
      const { state, clock } = simulated(timers('event'));
      state.turn('all', (ends) => {
        for (let i = 0; i < cells; i++) ends.set(i);
      });
      return checkpointed(state, clock);
    }
  }
}

type Spec<H> = ConstructorParameters<typeof OneState<H>>[0];

function simulated<H>(spec: Spec<H>): { readonly state: OneState<H>; readonly clock: SimulatedClock } {
  const clock = new SimulatedClock();
  return { state: new OneState(spec, clock), clock };
}

async function checkpointed<H>(state: OneState<H>, clock: SimulatedClock): Promise<Cost> {
  const stored = state.checkpoint();
  clock.run();
  await stored;
  return { requests: state.requests, bytes: state.bytes };
}

/** A value that hardly compresses, as savings would depend on the data. */
const token = (i: number): string => createHash('md5').update(String(i)).digest('base64');
