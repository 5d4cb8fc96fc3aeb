/**
 * Collections per key without guarantees, as a program without millrace would hold them. Params: `keys`, `names` or
 * `longest`, `updates` a round.
 */
import type { Start } from '../harness/workload.js';
import { entrySequence, fold, keySequence } from '../synthetic/keys.js';

/** Counts visits per user and page in a `Map` of `Map`s. */
export const mapOfMaps: Start = (params) => {
  const sequence = entrySequence(Number(params['keys']), Number(params['names']), Number(params['updates']));
  const visits = new Map<string, Map<string, number>>();
  return {
    round() {
      let digest = 0;
      for (const [user, page] of sequence) {
        let pages = visits.get(user);
        if (pages === undefined) visits.set(user, (pages = new Map<string, number>()));
        const count = (pages.get(page) ?? 0) + 1;
        pages.set(page, count);
        digest = fold(digest, count);
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};

/** Appends to a `Map` of arrays, and empties those that are full. */
export const mapOfArrays: Start = (params) => {
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const longest = Number(params['longest']);
  const visits = new Map<string, number[]>();
  return {
    round() {
      let digest = 0;
      let time = 0;
      for (const user of sequence) {
        let times = visits.get(user);
        if (times === undefined) visits.set(user, (times = []));
        times.push(time++);
        digest = fold(digest, times.length);
        if (times.length === longest) visits.set(user, []);
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};
