import { throwError, type Observable } from 'rxjs';
import { createStores, decorate, StoreError, type StoreCall } from '../../src/entries/stores.js';
import { delayed } from '../../src/testing/index.js';
import { fileSink, files, ndjson, type FilesOptions, type JobEvent } from '../../src/index.js';
import { Lake } from './harness.js';

interface Line {
  readonly n: number;
}

/** Runs a job to its end. Returns its events, and the LIST and HEAD requests for its input. */
async function run(
  world: Lake,
  uri: string | readonly string[],
  options: Partial<FilesOptions<Line>> = {},
  fails = false,
): Promise<{ readonly events: readonly JobEvent[]; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const slow = delayed(world.store, {
    before: ({ key }) => (key.startsWith('in') ? 5000 : 0),
    clock: world.clock,
  });
  const store = decorate(slow, <T>(call: StoreCall, request: Observable<T>): Observable<T> => {
    if (!call.key.startsWith('in') || !['list', 'head'].includes(call.method)) return request;
    asked.push(call.method);
    return fails ? throwError(() => new StoreError('PermissionDenied', 'No.')) : request;
  });
  const { job, events } = world.job({
    stores: createStores({ schemes: { memory: () => store }, clock: world.clock }),
  });
  const flow = job
    .source('in', files(uri, { format: ndjson<Line>(), ...options }))
    .pipe(fileSink('out', 'memory://lake/out', { format: ndjson() }));
  await expect(world.run(job, flow)).resolves.toEqual({ outcome: 'finished' });
  return { events, asked };
}

const told = (events: readonly JobEvent[]): readonly JobEvent[] =>
  events.filter(({ type }) => type === 'input-not-read' || type === 'warning');

const all = 'memory://lake/in/*.ndjson';

function lake(...names: readonly string[]): Lake {
  const world = new Lake();
  for (const name of names) world.put(name, [{ n: 1 }]);
  return world;
}

test('a finished job that is run again reports objects added since, and does not read them', async () => {
  const world = lake('in/a.ndjson', 'in/b.ndjson');
  expect(told((await run(world, all)).events)).toEqual([]);
  for (const name of ['in/c.ndjson', 'in/d.txt', 'in/_e.ndjson', 'in/f.ndjson']) world.put(name, [{ n: 2 }]);
  const { events, asked } = await run(world, all);
  expect(told(events)).toEqual([
    {
      type: 'input-not-read',
      operator: 'in',
      objects: 2,
      more: false,
      object: 'memory://lake/in/c.ndjson',
      message:
        "2 objects were added after source 'in' had read everything, and are not read; the first is memory://lake/in/c.ndjson. A finished job stays finished: read them with a job of their own, or everything again with this job under another name.",
    },
  ]);
  expect(asked).toEqual(['list']);
  expect(world.lines('out/')).toEqual([{ n: 1 }, { n: 1 }]);
  // One is spoken of as one.
  world.store.delete(['in/f.ndjson']).subscribe();
  expect(told((await run(world, all)).events)).toMatchObject([
    {
      message: expect.stringMatching(/^1 object was added after source 'in' .*, and is not read;/) as string,
    },
  ]);
  world.put('in/f.ndjson', [{ n: 2 }]);
  // It is reported at each run.
  expect(told((await run(world, all)).events)).toEqual(told(events));
});

test('without new objects nothing is reported, and a first run makes no extra requests', async () => {
  const world = lake('in/a.ndjson');
  expect((await run(world, all)).asked).toEqual(['list']);
  const { events, asked } = await run(world, all);
  expect(told(events)).toEqual([]);
  expect(asked).toEqual(['list']);
});

test('only one page is listed, for any number of new objects', async () => {
  const world = lake('in/a.ndjson');
  await run(world, all);
  for (let n = 0; n < 2500; n++) world.put(`in/b${String(n).padStart(4, '0')}.ndjson`, []);
  const { events, asked } = await run(world, all);
  expect(told(events)).toMatchObject([
    {
      objects: 1000,
      more: true,
      message: expect.stringMatching(/^At least 1000 objects were added after /) as string,
    },
  ]);
  expect(asked).toEqual(['list']);
});

test('objects in an input that was empty are reported, too', async () => {
  const options = { allowEmpty: true };
  for (const [uri, key, requests] of [
    [all, 'in/a.ndjson', ['list']],
    ['memory://lake/in', 'in/a', ['head', 'list']],
    ['memory://lake/in', 'in', ['head']],
  ] as const) {
    const world = new Lake();
    await run(world, uri, options);
    world.put(key, [{ n: 1 }]);
    const { events, asked } = await run(world, uri, options);
    expect(told(events)).toMatchObject([{ objects: 1, object: `memory://lake/${key}` }]);
    expect(asked).toEqual(requests);
  }
});

test('of several URIs the last one is listed; nothing can follow a URI of a single object', async () => {
  const world = lake('in/a/1.ndjson', 'in/b/1.ndjson');
  const uris = ['memory://lake/in/a/*', 'memory://lake/in/b/*'];
  await run(world, uris);
  world.put('in/a/2.ndjson', [{ n: 2 }]);
  expect(told((await run(world, uris)).events)).toEqual([]);
  world.put('in/b/2.ndjson', [{ n: 2 }]);
  expect(told((await run(world, uris)).events)).toMatchObject([{ object: 'memory://lake/in/b/2.ndjson' }]);

  const other = lake('in/a');
  await run(other, 'memory://lake/in/a');
  other.put('in/a/b', [{ n: 2 }]);
  const { events, asked } = await run(other, 'memory://lake/in/a');
  expect([told(events), asked]).toEqual([[], []]);
});

test('a failed listing is reported, and the job stays finished', async () => {
  const world = lake('in/a.ndjson');
  await run(world, all);
  const { events } = await run(world, all, {}, true);
  expect(told(events)).toMatchObject([
    {
      type: 'warning',
      operator: 'in',
      message: "Source 'in' has read everything, but could not check whether input was added since.",
      error: { code: 'PermissionDenied' },
    },
  ]);
});
