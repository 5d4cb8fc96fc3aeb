import * as rxjs from 'rxjs';
import * as millrace from '../../src/index.js';
import { createMemoryStore, createStores, listAll } from '../../src/entries/stores.js';
import { exampleOf, runExample } from './program.js';

test('the example of docs/formats.md keeps every digit', async () => {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  const stores = createStores({ schemes: { memory: () => lake } });
  const large = '{"id":144126219108390099,"text":"kept"}\n';
  await rxjs.lastValueFrom(
    lake.put(
      'raw/a.ndjson',
      Buffer.from(`{"id":1,"text":"dropped"}\n${large}{"id":144126219108389999,"text":"dropped"}\n`),
    ),
  );
  const createJob = (options: millrace.JobOptions) => millrace.createJob({ ...options, stores });
  await runExample(exampleOf('docs/formats.md'), { ...rxjs, ...millrace, createJob });
  const [page] = await rxjs.lastValueFrom(listAll(lake, 'posts/').pipe(rxjs.toArray()));
  const bodies = await Promise.all((page ?? []).map(({ key }) => rxjs.lastValueFrom(lake.get(key))));
  expect(bodies.map(({ chunks }) => Buffer.concat(chunks).toString())).toEqual([large]);
});
