import { timers } from 'millrace';
import type { Start } from '../harness/workload.js';
import { fold, keyNames, numberSequence } from '../synthetic/keys.js';

/** `timers` as `keyed` uses it, without the flow around it: sets one for each key, and fires all. Params: `timers`. */
export const timerStates: Start = (params) => {
  const names = keyNames(Number(params['timers']));
  const times = numberSequence(2 ** 31, names.length);
  return {
    round() {
      const ends = timers('event').open('ends');
      const { handle, timers: queue } = ends;
      if (queue === undefined) throw new Error('timers have a queue');
      times.forEach((at, i) => {
        ends.at(names[i]!);
        handle.set(at);
        ends.leave();
      });
      let digest = 0;
      while (queue.next < Infinity) {
        const { key, at } = queue.take();
        ends.at(key);
        digest = fold(digest, at);
        ends.leave();
      }
      return Promise.resolve({ digest: String(digest), amount: names.length });
    },
  };
};
