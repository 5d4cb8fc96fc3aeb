/**
 * The longest turn of the event loop while much state is stored, restored, removed, or given back by a checkpoint that
 * was cancelled. Params: `kind`, `cells`.
 */
import { setImmediate } from 'node:timers/promises';
import { mapState, timers, valueState } from 'millrace';
import type { Frozen } from '#src/flow/index.js';
import type { StateSpec } from '#src/state/index.js';
import { LoopWatch } from '../harness/loopWatch.js';
import type { Start, Workload } from '../harness/workload.js';
import { OneState } from '../synthetic/backend.js';
import { entryName, keyNames } from '../synthetic/keys.js';

export type Kind = 'values' | 'map' | 'timers';

export const slices: Start = ({ kind, cells }) => {
  const count = Number(cells);
  switch (kind as Kind) {
    case 'values': {
      const names = keyNames(count);
      return workload(valueState(0), {
        fill: (state) => {
          for (const name of names) state.turn(name, (value) => value.set(1));
        },
        clear: (state) => {
          for (const name of names) state.turn(name, (value) => value.clear());
        },
      });
    }
    case 'map': {
      const names = Array.from({ length: count }, (_, i) => entryName(i));
      return workload(mapState<string, number>(), {
        fill: (state) => {
          state.turn('all', (map) => {
            for (const name of names) map.set(name, 1);
          });
        },
        clear: (state) => {
          state.turn('all', (map) => {
            map.clear();
          });
        },
      });
    }
    case 'timers':
      return workload(timers('event'), {
        fill: (state) => {
          state.turn('all', (ends) => {
            for (let i = 0; i < count; i++) ends.set(i);
          });
        },
        clear: (state) => {
          state.turn('all', (ends) => {
            for (let i = 0; i < count; i++) ends.clear(i);
          });
        },
      });
  }
};

interface Changes<H> {
  readonly fill: (state: OneState<H>) => void;
  readonly clear: (state: OneState<H>) => void;
}

function workload<H>(spec: StateSpec<H>, { fill, clear }: Changes<H>): Workload {
  return {
    async round() {
      const watch = new LoopWatch();
      const state = new OneState(spec);
      fill(state);
      const { size } = state;
      const begun = state.begin();
      const cancelMs = await watch.during(async () => {
        begun.unsubscribe();
        // Each turn gives back a thousand cells or more.
        for (let left = size; left > 0; left -= 1000) await setImmediate();
      });
      let stored: Frozen = {};
      const storeMs = await watch.during(async () => (stored = await state.checkpoint()));
      let restored = state;
      const restoreMs = await watch.during(async () => (restored = await state.restored(stored)));
      const { size: back } = restored;
      clear(state);
      const clearMs = await watch.during(async () => {
        await state.checkpoint();
        await untilRemoved(state);
      });
      return {
        digest: `${back} of ${size}, ${state.size} left`,
        amount: size,
        extra: { storeMs, restoreMs, clearMs, cancelMs },
      };
    },
  };
}

/** Cleared cells leave memory after the checkpoint, in a step of each turn of the event loop. */
async function untilRemoved(state: { readonly size: number }): Promise<void> {
  for (let size = Infinity; state.size < size;) {
    size = state.size;
    await setImmediate();
    await setImmediate();
  }
}
