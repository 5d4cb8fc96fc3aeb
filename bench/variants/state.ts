import { valueState } from 'millrace';
import type { Start } from '../harness/workload.js';
import { fold, keyNames, keySequence } from '../synthetic/keys.js';

/**
 * `valueState` as `keyed` uses it for each record, without the flow around it. Params: `keys`, `updates` a round. Each
 * round is a checkpoint's generation: what was written before is frozen and settled, so every key that is written
 * becomes dirty anew.
 */
export const valueStates: Start = (params) => {
  const names = keyNames(Number(params['keys']));
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const counts = valueState(0).open('counts');
  const { handle } = counts;
  for (const name of names) {
    counts.at(name);
    handle.set(0);
    counts.leave();
  }
  return {
    round() {
      counts.table.stored(counts.table.freeze());
      let digest = 0;
      for (const name of sequence) {
        counts.at(name);
        digest = fold(
          digest,
          handle.update((n) => n + 1),
        );
        counts.leave();
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};

/**
 * What it costs at least to know what changed between two barriers: a `Map` of entries that are stamped with the generation
 * that wrote them, and a list of those written in this one. No handles, no turns, no kinds of values, nothing frozen. Params
 * as above.
 */
export const bareGenerations: Start = (params) => {
  const names = keyNames(Number(params['keys']));
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const entries = new Map(names.map((name) => [name, { count: 0, generation: 0 }]));
  let generation = 0;
  return {
    round() {
      generation++;
      const written: unknown[] = [{}];
      let digest = 0;
      for (const name of sequence) {
        const entry = entries.get(name);
        if (entry === undefined) continue;
        if (entry.generation !== generation) {
          entry.generation = generation;
          written.push(entry);
        }
        digest = fold(digest, ++entry.count);
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};
