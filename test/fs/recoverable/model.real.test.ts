import fc from 'fast-check';
import { effort } from '../../support/effort.js';
import { backends } from '../backends.js';
import { Model, step } from './model.js';

const MiB = 2 ** 20;
const real = backends.filter(([name]) => name === 'Ceph');
const withServer = real.length === 0 ? describe.skip : describe;

withServer('on Ceph, which cannot leave parts out', () => {
  test('files are as in the model, with parts of 5 MiB', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async (steps) => {
        for (const [, open] of real) {
          const { store, close } = await open();
          try {
            const model = new Model(store, { partSize: 5 * MiB, subset: false });
            for (const each of steps) await model.run(each);
            await model.end();
          } finally {
            await close();
          }
        }
      }),
      { numRuns: effort(3, 10) },
    );
  });
});
