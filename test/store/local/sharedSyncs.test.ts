import { SharedSyncs } from '../../../src/store/local/sharedSyncs.js';

/** Syncs that end when told; what was wanted before one began is served by it. */
function held(): { readonly syncs: SharedSyncs; readonly begun: string[]; end(error?: Error): void } {
  const begun: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const syncs = new SharedSyncs(
    (path) =>
      new Promise((resolve, reject) => {
        begun.push(path);
        ends.push((error) => (error === undefined ? resolve() : reject(error)));
      }),
  );
  return { syncs, begun, end: (error) => ends.shift()?.(error) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('those that wait share the next one', async () => {
  const { syncs, begun, end } = held();
  const done: string[] = [];
  for (const name of ['first', 'second', 'third']) void syncs.sync('d').then(() => done.push(name));
  void syncs.sync('e').then(() => done.push('other'));
  expect(begun).toEqual(['d', 'e']);
  end();
  await turn();
  expect({ done, begun }).toEqual({ done: ['first'], begun: ['d', 'e', 'd'] });
  end();
  end();
  await turn();
  expect(done.sort()).toEqual(['first', 'other', 'second', 'third']);
  void syncs.sync('d');
  expect(begun).toHaveLength(4);
});

it('a failure is told to those that it was for', async () => {
  const { syncs, end } = held();
  const first = syncs.sync('d');
  const second = syncs.sync('d');
  end(new Error('broken'));
  await expect(first).rejects.toThrow('broken');
  await turn();
  end();
  await expect(second).resolves.toBeUndefined();
});
