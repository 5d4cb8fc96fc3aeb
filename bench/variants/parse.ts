import { bounded, csv, files, ndjson, values } from 'millrace';
import { createMemoryStore, createStores } from 'millrace/stores';
import { lastValueFrom, Observable } from 'rxjs';
import type { Start } from '../harness/workload.js';
import { Tally, visits, type Visit } from '../synthetic/pageVisits.js';

/** One object in memory, read by `files`. Params: `form` and `size`. */
export const parsed: Start = async ({ form, size }) => {
  const store = createMemoryStore({ uri: 'memory://bench' });
  await lastValueFrom(store.put('visits', visits(String(form), Number(size))));
  const stores = createStores({ schemes: { memory: () => store } });
  const format = form === 'csv' ? csv() : ndjson<Visit>();
  return {
    async round() {
      const tally = new Tally();
      await bounded(
        files<Visit>('memory://bench/visits', { format: format as ReturnType<typeof ndjson<Visit>> }),
        (flow) =>
          new Observable<never>((out) =>
            // Without an operator of RxJS: the loops have none.
            flow.pipe(values()).subscribe({
              next: (record) => {
                tally.add(record);
              },
              error: (error: unknown) => {
                out.error(error);
              },
              complete: () => {
                out.complete();
              },
            }),
          ),
        { stores },
      );
      return { digest: tally.toString(), amount: tally.records };
    },
  };
};
