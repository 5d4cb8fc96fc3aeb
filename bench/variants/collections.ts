import { listState, mapState } from 'millrace';
import type { Start } from '../harness/workload.js';
import { entrySequence, fold, keySequence } from '../synthetic/keys.js';

/**
 * `mapState` as `keyed` uses it for each record, without the flow around it. Params: `keys`, `names` of each key,
 * `updates` a round. Each round is one generation, as in `state.ts`.
 */
export const mapStates: Start = (params) => {
  const sequence = entrySequence(Number(params['keys']), Number(params['names']), Number(params['updates']));
  const visits = mapState<string, number>().open('visits');
  const { handle } = visits;
  return {
    round() {
      visits.freeze().stored();
      let digest = 0;
      for (const [user, page] of sequence) {
        visits.at(user);
        digest = fold(
          digest,
          handle.update(page, (n = 0) => n + 1),
        );
        visits.leave();
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};

/** The same of `listState`. Params: `keys`, `updates` a round; a list of `longest` elements is cleared. */
export const listStates: Start = (params) => {
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const longest = Number(params['longest']);
  const visits = listState<number>().open('visits');
  const { handle } = visits;
  return {
    round() {
      visits.freeze().stored();
      let digest = 0;
      let time = 0;
      for (const user of sequence) {
        visits.at(user);
        handle.append(time++);
        const { length } = handle;
        digest = fold(digest, length);
        if (length === longest) handle.clear();
        visits.leave();
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};
