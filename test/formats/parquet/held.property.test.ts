import fc from 'fast-check';
import { parquet } from '../../../src/formats/parquet/index.js';
import { effort } from '../../support/effort.js';
import { Checkpointed, Collected, fileOf } from './files.js';
import { decoded } from './reading.js';
import { tables } from './samples.js';

const runs = { numRuns: effort(30, 500) };

test('what is written is what is read, whatever its type', async () => {
  await fc.assert(
    fc.asyncProperty(tables(20), async ({ schema, records, rows }) => {
      const format = parquet({ schema });
      expect(await decoded(fileOf(format, records as never[]))).toEqual(rows);
    }),
    runs,
  );
});

test('a file that is sealed has the rows of its checkpoint, in order, and no others', async () => {
  const step = fc.constantFrom('write', 'write', 'write', 'persist', 'persist all', 'flush');
  await fc.assert(
    fc.asyncProperty(
      tables(30),
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.record({ size: fc.integer({ min: 1, max: 2000 }), rows: fc.integer({ min: 1, max: 12 }) }),
      async ({ schema, records, rows }, steps, rowGroup) => {
        const format = parquet({ schema, rowGroup });
        const out = new Collected();
        const encoder = format.open(out);
        const checkpoint = new Checkpointed();
        let written = 0;
        let persisted: number | undefined;
        for (const each of steps) {
          if (each === 'flush') encoder.flush?.();
          else if (each === 'write') {
            if (written < records.length) encoder.write(records[written++] as never);
          } else {
            checkpoint.take(out, encoder, each === 'persist all');
            persisted = written;
          }
        }
        if (persisted !== undefined) {
          const sealed = checkpoint.sealed(format);
          expect(await decoded(sealed)).toEqual(rows.slice(0, persisted));
          expect(checkpoint.sealed(format)).toEqual(sealed);
        }
        encoder.finish();
        expect(await decoded(out.bytes)).toEqual(rows.slice(0, written));
      },
    ),
    runs,
  );
});
