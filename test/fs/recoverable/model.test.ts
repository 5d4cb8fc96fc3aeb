/** Callers of a recoverable writer in any order of steps, on stores in memory, over HTTP, and on a real server where there is one. */
import fc from 'fast-check';
import type { ObjectStore } from 'millrace/stores';
import { effort } from '../../support/effort.js';
import { backends, type Backend } from '../backends.js';
import { Model, step, type Step } from './model.js';
import { inMemory, overGateway, part } from './support.js';

/** Opens empty stores. */
interface Stores {
  open(): ObjectStore | Promise<ObjectStore>;
  close(): Promise<void>;
}

/** A bucket for each store. */
const buckets = (open: () => Promise<Backend>) => (): Promise<Stores> => {
  const opened: Backend[] = [];
  return Promise.resolve({
    open: async () => {
      const backend = await open();
      opened.push(backend);
      return backend.store;
    },
    close: async () => {
      for (const backend of opened) await backend.close();
    },
  });
};

const small = { partSize: part, subset: true };
/** Ceph cannot leave parts out. */
const large = { partSize: 5 * 2 ** 20, subset: false };
const real = backends.filter(([name]) => name === 'Ceph');

const write: Step = { do: 'write', size: 2 * part + 3 };
const lost = (after: number, when: 'before' | 'after'): Step => ({ do: 'fails', after, when });

/** What every store is to be asked, however few histories are drawn for it. */
const histories: readonly (readonly Step[])[] = [
  [write, { do: 'close' }, { do: 'commit' }, { do: 'foreign' }, { do: 'commit' }, { do: 'cleanup' }],
  [write, { do: 'close' }, { do: 'removed' }, { do: 'commit' }],
  [
    write,
    { do: 'persist' },
    write,
    { do: 'crash' },
    { do: 'zombie' },
    write,
    { do: 'close' },
    { do: 'commit' },
  ],
  [write, { do: 'close' }, lost(0, 'before'), { do: 'commit' }],
  // Complete has an effect, and no answer.
  [write, { do: 'close' }, lost(0, 'after'), { do: 'commit' }],
  [lost(1, 'after'), write, write, { do: 'close' }, { do: 'commit' }],
];

describe.each([
  ['in memory', inMemory, small, effort(30, 1000)] as const,
  ['over a gateway', overGateway, small, effort(5, 200)] as const,
  ...real.map(([name, open]) => [`on ${name}`, buckets(open), large, effort(3, 10)] as const),
])('%s', (_, start, place, numRuns) => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await start();
  });
  afterAll(() => stores.close());

  test('a file is what its last durable checkpoint says, in any order of writes, checkpoints, crashes, recoveries and failing requests; or what was lost or replaced is reported', () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const model = new Model(await stores.open(), place);
        for (const each of steps) await model.run(each);
        await model.end();
      }),
      { examples: histories.map((steps) => [[...steps]]), numRuns: histories.length + numRuns },
    ));
});
