/**
 * Read-modify-write on many keys without guarantees: in a JavaScript `Map`, which is what a program without millrace
 * would use, and in lmdb, the fastest embedded store that Node has. Both count visits per user. Params: `keys`,
 * `updates` a round.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import type { Start } from '../harness/workload.js';
import { fold, keyNames, keySequence } from '../synthetic/keys.js';

export const jsMap: Start = (params) => {
  const names = keyNames(Number(params['keys']));
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const counts = new Map<string, number>(names.map((name) => [name, 0]));
  return {
    round() {
      let digest = 0;
      for (const name of sequence) {
        const count = (counts.get(name) ?? 0) + 1;
        counts.set(name, count);
        digest = fold(digest, count);
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};

/** Updates per transaction, as between two checkpoints of a job; with a tenth of them the speed halves. */
const transactionSize = 100_000;

/** The fastest settings: nothing waits for the disk, as in our variant, and pages are written in place. */
export const lmdb: Start = async (params) => {
  const names = keyNames(Number(params['keys']));
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-lmdb-'));
  const counts = open<number, string>({ path: join(directory, 'counts'), noSync: true, useWritemap: true });
  counts.transactionSync(() => {
    for (const name of names) counts.putSync(name, 0);
  });
  return {
    round() {
      let digest = 0;
      for (let from = 0; from < sequence.length; from += transactionSize)
        counts.transactionSync(() => {
          for (const name of sequence.slice(from, from + transactionSize)) {
            const count = (counts.get(name) ?? 0) + 1;
            counts.putSync(name, count);
            digest = fold(digest, count);
          }
        });
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
    async close() {
      await counts.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
};
