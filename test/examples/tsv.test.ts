import { createJob, fileSink, files, ndjson, records, silentLogger, type JobEvent } from 'millrace';
import { filter } from 'rxjs';
import { createMemoryStore, createStores, listAll } from 'millrace/stores';
import { SimulatedClock } from 'millrace/testing';
import { tsv } from '../../examples/tsv.js';

test('rows are named after the columns of their object', () => {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  lake.put('in/a.tsv', Buffer.from('user\tpage\nann\t/home\nbob\t/cart\n')).subscribe();
  lake.put('in/b.tsv', Buffer.from('page\tuser\n/home\tcid')).subscribe();
  const clock = new SimulatedClock();
  const job = createJob({
    name: 'visits',
    checkpoints: { dir: 'memory://lake/checkpoints' },
    stores: createStores({ schemes: { memory: () => lake }, clock }),
    clock,
    logger: silentLogger,
  });
  const events: JobEvent[] = [];
  job.events$.subscribe((event) => events.push(event));
  const visits = job
    .source('in', files('memory://lake/in', { format: tsv }))
    .pipe(
      records(filter(({ page }) => page === '/home')),
      fileSink('out', 'memory://lake/out', { format: ndjson() }),
    );
  void job.run(visits);
  clock.run(() => events.some(({ type }) => type === 'finished'));
  const keys: string[] = [];
  listAll(lake, 'out/').subscribe((page) => keys.push(...page.map(({ key }) => key)));
  const written: Uint8Array[] = [];
  for (const key of keys) lake.get(key).subscribe(({ chunks }) => written.push(...chunks));
  expect(Buffer.concat(written).toString()).toBe(
    '{"user":"ann","page":"/home"}\n{"page":"/home","user":"cid"}\n',
  );
});
