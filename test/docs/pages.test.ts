import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  createJob,
  files,
  fileSink,
  openState,
  PoisonBatch,
  silentLogger,
  text,
  values,
  valueState,
} from 'millrace';
import {
  counting,
  createMemoryStore,
  createStores,
  listAll,
  memoryStore,
  type ObjectStore,
} from 'millrace/stores';
import { checkLaws, lawInputs, SimulatedClock } from 'millrace/testing';
import * as millrace from 'millrace';
import * as testing from 'millrace/testing';
import * as rxjs from 'rxjs';
import { tap } from 'rxjs';
import { encodeLatest, encodeManifest, nameOf } from '../../src/sinks/file/fileManifest.js';
import { seeded } from '../../src/testing/store/support.js';
import { balances, Money, type Payment } from './examples/balances.js';
import { copyState } from './examples/copyState.js';
import { copyFrugally } from './examples/copyFrugally.js';
import { copyClicks } from './examples/copyClicks.js';
import { copyVisits } from './examples/copyVisits.js';
import { countInParallel } from './examples/countInParallel.js';
import { countLevels } from './examples/countLevels.js';
import { countPart } from './examples/countPart.js';
import { countTo } from './examples/countTo.js';
import { countVisits } from './examples/countVisits.js';
import { runUntil } from './examples/crashedJob.js';
import { exportOrders } from './examples/exportOrders.js';
import { flakyStores } from './examples/flakyStores.js';
import { hours } from './examples/hours.js';
import { joinParts } from './examples/joinParts.js';
import { exportLines, type Checkpoint } from './examples/exportLines.js';
import { lastBytes } from './examples/lastBytes.js';
import { newFiles } from './examples/newFiles.js';
import { numbered } from './examples/numbered.js';
import { oncePerDay } from './examples/oncePerDay.js';
import { Lake } from '../job/harness.js';
import { createLake, published, runUntil as runOn } from '../examples/lake.js';
import { examplesOf, runExample } from './program.js';
import { memoryLine, memoryNow } from './examples/memoryLine.js';
import { progressLine } from './examples/progressLine.js';
import { replayOrders } from './examples/replayOrders.js';
import { Invoices, sendOrders } from './examples/sendOrders.js';
import { Ledger, sendPayments } from './examples/sendPayments.js';
import { sendVisits } from './examples/sendVisits.js';
import { results } from './examples/tenfold.js';
import { topUsers } from './examples/topUsers.js';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .sort();

function linesBelow(store: ObjectStore, prefix: string): string[] {
  const keys: string[] = [];
  listAll(store, prefix).subscribe((page) => keys.push(...page.map(({ key }) => key)));
  return keys.flatMap((key) => {
    let lines: string[] = [];
    store.get(key).subscribe(({ chunks }) => {
      lines = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
    });
    return lines;
  });
}

function keysBelow(store: ObjectStore, prefix: string): string[] {
  const keys: string[] = [];
  listAll(store, prefix).subscribe((page) => keys.push(...page.map(({ key }) => key)));
  return keys;
}

describe('The examples of the pages', () => {
  test.each([
    ['concepts.md', 'test/docs/examples/countVisits.ts'],
    ['state.md', 'test/docs/examples/hours.ts'],
    ['state.md', 'test/docs/examples/balances.ts'],
    ['state-ttl.md', 'test/docs/examples/oncePerDay.ts'],
    ['split-and-merge.md', 'test/docs/examples/countPart.ts'],
    ['testing.md', 'test/docs/examples/crashedJob.ts'],
    ['testing.md', 'test/docs/examples/flakyStores.ts'],
    ['testing.md', 'test/docs/examples/tenfold.ts'],
    ['writing-operators.md', 'test/docs/examples/numbered.ts'],
    ['writing-operators.md', 'test/docs/examples/countTo.ts'],
    ['writing-operators.md', 'examples/topN.ts'],
    ['writing-operators.md', 'examples/outbox/outbox.ts'],
    ['formats.md', 'examples/tsv.ts'],
    ['sources.md', 'test/docs/examples/copyVisits.ts'],
    ['memory.md', 'test/docs/examples/copyFrugally.ts'],
    ['memory.md', 'test/docs/examples/memoryLine.ts'],
    ['sources.md', 'test/docs/examples/countInParallel.ts'],
    ['sources.md', 'test/docs/examples/countLevels.ts'],
    ['sources.md', 'test/docs/examples/progressLine.ts'],
    ['sources.md', 'test/docs/examples/joinParts.ts'],
    ['sources.md', 'test/docs/examples/lastBytes.ts'],
    ['outboxes.md', 'test/docs/examples/sendOrders.ts'],
    ['outboxes.md', 'test/docs/examples/sendPayments.ts'],
    ['sinks.md', 'test/docs/examples/newFiles.ts'],
    ['outboxes.md', 'test/docs/examples/replayOrders.ts'],
    ['recoverable-writer.md', 'test/docs/examples/exportLines.ts'],
    ['streams.md', 'test/docs/examples/exportOrders.ts'],
    ['streams.md', 'test/docs/examples/sendVisits.ts'],
    ['streams.md', 'test/docs/examples/copyClicks.ts'],
    ['state-from-outside.md', 'test/docs/examples/topUsers.ts'],
    ['state-from-outside.md', 'test/docs/examples/copyState.ts'],
  ])('%s shows %s', (page, example) => {
    expect(read(`docs/${page}`)).toContain(`\`\`\`ts\n${read(example)}\`\`\``);
  });

  test('countVisits counts, and does nothing when run again', async () => {
    const lake = memoryStore('lake');
    lake.put('raw/1.ndjson', Buffer.from('{"user":"a"}\n{"user":"b"}\n{"user":"a"}\n')).subscribe();
    const expected = ['{"user":"a","visits":1}', '{"user":"b","visits":1}', '{"user":"a","visits":2}'];
    expect(await countVisits()).toEqual({ outcome: 'finished' });
    expect(linesBelow(lake, 'counts/')).toEqual(expected);
    expect(await countVisits()).toEqual({ outcome: 'finished' });
    expect(linesBelow(lake, 'counts/')).toEqual(expected);
  });

  test('sendOrders sends large orders once, and archives all, also when run again', async () => {
    const lake = memoryStore('lake');
    const lines = ['{"id":1,"total":5}', '{"id":2,"total":500}', '{"id":3,"total":100}'];
    lake.put('orders/1.ndjson', Buffer.from(`${lines.join('\n')}\n`)).subscribe();
    const invoices = new Invoices();
    for (let run = 0; run < 2; run++) {
      expect(await sendOrders(invoices)).toEqual({ outcome: 'finished' });
      expect(invoices.rows.map(({ id }) => id)).toEqual([2, 3]);
      expect(linesBelow(lake, 'archive/')).toEqual(lines);
    }
  });

  test('replayOrders hands over what the target has refused, once', async () => {
    const lake = memoryStore('lake');
    // The store is that of all tests here.
    lake.delete(keysBelow(lake, 'checkpoints/orders/')).subscribe();
    const lines = ['{"id":1,"total":100}', '{"id":2,"total":500}'];
    lake.put('orders/1.ndjson', Buffer.from(`${lines.join('\n')}\n`)).subscribe();
    const broken = new Invoices();
    broken.add = () => Promise.reject(new PoisonBatch('The table is not there yet.'));
    expect(await sendOrders(broken)).toEqual({ outcome: 'finished' });
    expect(linesBelow(lake, 'rejected/').slice(1)).toEqual(lines);
    const fixed = new Invoices();
    for (let run = 0; run < 2; run++) {
      expect(await replayOrders((batch, mark) => fixed.add(batch, mark))).toEqual({ outcome: 'finished' });
      expect(fixed.rows.map(({ id }) => id)).toEqual([1, 2]);
    }
    expect(linesBelow(lake, 'rejected-again/')).toEqual([]);
  });

  test('sendPayments has payments in the ledger or among the dead letters, also if an answer is lost', async () => {
    const lake = memoryStore('lake');
    for (const lost of [true, false]) {
      lake.delete([...keysBelow(lake, 'checkpoints/payments/'), ...keysBelow(lake, 'refused/')]).subscribe();
      lake.put('payments/1.ndjson', Buffer.from('{"id":1}\n{"id":2}\n')).subscribe();
      const ledger = new Ledger();
      let tries = 0;
      const add = ledger.add.bind(ledger);
      ledger.add = async (batch, mark) => {
        if (++tries > 1) throw new PoisonBatch('The ledger is closed.');
        if (lost) await add(batch, mark);
        throw new Error('The answer is lost.');
      };
      expect(await sendPayments(ledger)).toEqual({ outcome: 'finished' });
      expect([ledger.rows.length, linesBelow(lake, 'refused/').slice(1).length]).toEqual(
        lost ? [2, 0] : [0, 2],
      );
    }
  });

  test('hours gathers the pages of an hour, per user', () => {
    const minute = 60_000;
    const view = (user: string, page: string, minutes: number): object => ({
      user,
      page,
      at: minutes * minute,
    });
    const lake = createLake([
      view('ann', '/', 0),
      view('ann', '/cart', 30),
      view('bob', '/', 40),
      view('ann', '/pay', 60.5),
      view('ann', '/', 59.8),
      view('ann', '/', 75),
    ]);
    runOn(lake, Infinity, hours);
    expect(published(lake)).toEqual([
      { user: 'ann', from: 0, pages: { '/': 2, '/cart': 1 } },
      { user: 'ann', from: 60 * minute, pages: { '/pay': 1, '/': 1 } },
    ]);
  });

  test('a job is stopped at a savepoint, and another one starts from it', async () => {
    const lake = createLake([{ n: 1 }, { n: 2 }]);
    const stores = createStores({ schemes: { memory: () => lake } });
    const job = (options: Partial<millrace.JobOptions>): millrace.Job =>
      createJob({
        name: 'clicks',
        checkpoints: { dir: 'memory://lake/checkpoints' },
        stores,
        logger: silentLogger,
        ...options,
      });
    const flowOf = (of: millrace.Job): millrace.Flow<never> =>
      of
        .source('in', files('memory://lake/in/', { format: millrace.ndjson<object>() }))
        .pipe(fileSink('out', 'memory://lake/out', { format: millrace.ndjson() }));
    const [making = '', starting = ''] = examplesOf('docs/savepoints.md');
    const uris: string[] = [];
    const first = job({});
    await runExample(
      making.replaceAll('s3:', 'memory:'),
      {},
      {
        job: first,
        clicks: flowOf(first),
        console: { log: (uri: string) => uris.push(uri) },
      },
    );
    expect(uris).toEqual([expect.stringMatching(/^memory:\/\/lake\/savepoints\/savepoint-clicks-/)]);
    let next: millrace.Job | undefined;
    await runExample(starting.replace(/s3:[^']*/, uris[0] ?? ''), {
      createJob: (options: millrace.JobOptions) => (next = job(options)),
    });
    expect(await next?.run(flowOf(next))).toEqual({ outcome: 'finished' });
    expect(published(lake)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('oncePerDay drops what has been seen in the last day of event time', async () => {
    const shop = memoryStore('shop');
    const orders = [
      ['a', '2026-01-01T00:00:00Z'],
      ['b', '2026-01-01T10:00:00Z'],
      ['a', '2026-01-01T23:59:00Z'],
      ['a', '2026-01-02T00:01:00Z'],
      ['c', '2026-01-02T00:02:00Z'],
      ['a', '2026-01-02T00:03:00Z'],
    ].map(([id, at]) => JSON.stringify({ id, at }));
    shop.put('raw/1.ndjson', Buffer.from(`${orders.join('\n')}\n`)).subscribe();
    expect(await oncePerDay()).toEqual({ outcome: 'finished' });
    expect(linesBelow(shop, 'orders/')).toEqual([0, 1, 4, 5].map((i) => orders[i]));
  });

  test('copyClicks copies clicks', async () => {
    const web = memoryStore('web');
    web.put('raw/1.ndjson', Buffer.from('{"id":1,"kind":"click"}\n{"id":2,"kind":"view"}\n')).subscribe();
    await copyClicks();
    expect(linesBelow(web, 'clicks/')).toEqual(['{"id":1,"kind":"click"}']);
  });

  test('exportOrders exports rows once, and those that are added later by the next run', async () => {
    const rows = Array.from({ length: 2500 }, (_, i) => ({ id: i + 1, total: i }));
    const select = (after: number, limit: number) =>
      Promise.resolve(rows.filter(({ id }) => id > after).slice(0, limit));
    const exported = () =>
      linesBelow(memoryStore('shop-export'), 'orders/')
        .map((line) => (JSON.parse(line) as { id: number }).id)
        .sort((a, b) => a - b);
    await exportOrders(select);
    expect(exported()).toEqual(rows.map(({ id }) => id));
    rows.push({ id: 2501, total: 0 });
    await exportOrders(select);
    expect(exported()).toEqual(rows.map(({ id }) => id));
  });

  test('copyVisits copies what arrives, until it is stopped', async () => {
    const lake = new Lake();
    lake.put('raw/b.ndjson', [{ user: 'ann' }]);
    const { job } = lake.job();
    const stop = new AbortController();
    const running = job.run(copyVisits(job), { signal: stop.signal });
    const pass = async (seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        lake.clock.advance(1000);
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      }
    };
    await pass(90);
    expect(lake.lines('visits/')).toEqual([{ user: 'ann' }]);
    lake.put('raw/a.ndjson', [{ user: 'bob' }]);
    await pass(90);
    expect(lake.lines('visits/')).toEqual([{ user: 'ann' }, { user: 'bob' }]);
    stop.abort();
    await pass(90);
    expect(await running).toEqual({ outcome: 'stopped' });
  });

  test('balances continues with what version 1 of its serializer wrote', async () => {
    const lake = new Lake();
    lake.put('in/1.ndjson', [{ account: 'ann', cents: 120 }]);
    const euros: millrace.Serializer<Money> = {
      id: 'money',
      version: 1,
      encode: ({ cents }) => Buffer.from(String(cents)),
      decode: (bytes) => new Money(Number(Buffer.from(bytes).toString()), 'EUR'),
    };
    const before = millrace.keyed('balances', {
      key: ({ account }: Payment) => account,
      state: { balance: valueState(new Money(0, 'EUR'), { serializer: euros }) },
      onRecord: ({ cents }, { balance }) => {
        balance.update((now) => new Money(now.cents + cents, 'EUR'));
        return [];
      },
    });
    const run = async (
      operator: (flow: millrace.Flow<Payment>) => millrace.Flow<unknown>,
    ): Promise<unknown> => {
      const { job } = lake.job();
      const stop = new AbortController();
      const format = millrace.ndjson<Payment>();
      const source = files('memory://lake/in/', { format, discover: { every: '10s' } });
      const flow = operator(job.source('in', source));
      const running = job.run(
        flow.pipe(fileSink('out', 'memory://lake/out', { format: millrace.ndjson(), roll: { age: '1s' } })),
        {
          signal: stop.signal,
        },
      );
      const pass = async () => {
        for (let i = 0; i < 30; i++) {
          lake.clock.advance(1000);
          for (let turn = 0; turn < 5; turn++) await Promise.resolve();
        }
      };
      await pass();
      stop.abort();
      await pass();
      return running;
    };
    await run((flow) => flow.pipe(before));
    lake.put('in/2.ndjson', [{ account: 'ann', cents: 5 }]);
    expect(await run(balances)).toEqual({ outcome: 'stopped' });
    expect(lake.lines('out/')).toEqual([{ account: 'ann', balance: '125 EUR' }]);
  });

  test('countLevels counts every line once', async () => {
    const lake = new Lake();
    const levels = ['info', 'warn', 'error'];
    const filler = 'x'.repeat(50_000);
    const lines = Array.from({ length: 3000 }, (_, n) => `${levels[n % 3]} ${filler.slice(n)}\n`);
    lake.store.put('app.log', Buffer.from(lines.join(''))).subscribe();
    const { job } = lake.job();
    const running = job.run(countLevels(job, 'memory://lake/app.log'));
    let outcome: unknown;
    void running.then((result) => (outcome = result));
    while (outcome === undefined) {
      lake.clock.advance(1000);
      await new Promise(setImmediate);
    }
    expect(outcome).toEqual({ outcome: 'finished' });
    const counts = lake.lines('levels/') as { level: string; lines: number }[];
    for (const level of levels)
      expect(counts.filter((each) => each.level === level).map((each) => each.lines)).toEqual(
        Array.from({ length: 1000 }, (_, n) => n + 1),
      );
  });

  test('countInParallel counts what it reads, whatever the order', async () => {
    const lake = new Lake();
    for (let n = 0; n < 9; n++) {
      const lines = '{"user":"ann"}\n{"user":"bob"}\n'.repeat(n + 1);
      lake.store.put(`raw/${n % 2}/${n}.gz`, gzipSync(lines)).subscribe();
    }
    const { job } = lake.job();
    const running = job.run(countInParallel(job));
    let outcome: unknown;
    void running.then((result) => (outcome = result));
    while (outcome === undefined) {
      lake.clock.advance(1000);
      await new Promise(setImmediate);
    }
    expect(outcome).toEqual({ outcome: 'finished' });
    const counts = lake.lines('counts/') as { user: string; visits: number }[];
    for (const name of ['ann', 'bob'])
      expect(counts.filter(({ user }) => user === name).map(({ visits }) => visits)).toEqual(
        Array.from({ length: 45 }, (_, n) => n + 1),
      );
  });

  test('copyFrugally needs the memory that its page says, and no less', async () => {
    const lake = new Lake();
    const visits = Array.from({ length: 1000 }, (_, n) => ({ user: `user-${n}` }));
    lake.put('raw/a.ndjson', visits);
    const run = (name: string, memory: string) => {
      const { job } = lake.job({ name, memory, budget: '2MiB' });
      return lake.run(job, copyFrugally(job));
    };
    await expect(run('too-small', '19MiB')).rejects.toMatchObject({ code: 'MemoryTooSmall' });
    expect(await run('small', '20MiB')).toEqual({ outcome: 'finished' });
    expect(lake.lines('visits/')).toEqual(visits);
  });

  test('memoryLine is about events about memory, memoryNow about the process', () => {
    const exceeded = {
      type: 'memory-exceeded',
      job: 'a',
      state: 2,
      memory: 1,
      message: 'Too much.',
    } as const;
    expect(memoryLine(exceeded)).toBe('Too much.');
    const waiting = { on: 'memory', holders: ["sink 'out'"] } as const;
    const stalled = { type: 'stalled', job: 'a', waiting, forMs: 30_000, message: '' } as const;
    expect(memoryLine(stalled)).toBe("sink 'out': no memory for 30 s");
    expect(memoryLine({ type: 'finished', job: 'a' })).toBeUndefined();
    const { heap, bytes, all } = memoryNow();
    expect(all).toBeGreaterThan(heap);
    expect(bytes).toBeGreaterThanOrEqual(0);
  });

  test('progressLine shows how far a source has come', async () => {
    const lake = new Lake();
    lake.put('raw/a.ndjson', [{ user: 'ann' }]);
    lake.put('raw/b.ndjson', [{ user: 'bob' }]);
    const { job, events } = lake.job();
    const source = files('memory://lake/raw/', { format: text() });
    await lake.run(
      job,
      job.source('raw', source).pipe(fileSink('out', 'memory://lake/out', { format: text() })),
    );
    const lines = events.flatMap((event) => progressLine(event) ?? []);
    expect(lines.at(-1)).toBe('2 of 2 objects, 100 %');
  });

  test('joinParts joins objects, and lastBytes reads their ends', async () => {
    const store = memoryStore('parts');
    for (const [key, content] of Object.entries({ 'in/1': 'one,', 'in/2': 'two' }))
      store.put(key, Buffer.from(content)).subscribe();
    const lines: string[] = [];
    await joinParts('memory://parts/in/', 'memory://parts/out', (line) => lines.push(line));
    expect(lines).toEqual(['memory://parts/in/1: 100 %', 'memory://parts/in/2: 100 %']);
    const [out = ''] = keysBelow(store, 'out/');
    expect(Buffer.from(await lastBytes(`memory://parts/${out}`, 5)).toString()).toBe('e,two');
  });

  test('newFiles reads the files of new manifests, and only these', async () => {
    const lake = memoryStore('shown');
    const sink = { version: 1, jobId: 'abcdefghijkl', sink: 'out' } as const;
    const put = (name: string, body: Buffer): void => {
      lake.put(`out/_manifests/out/abcdefghijkl/${name}`, body).subscribe();
    };
    const publish = (epoch: number, checkpoint: number | undefined, ...uris: string[]): void => {
      const position = checkpoint === undefined ? { epoch } : { epoch, checkpoint };
      const named = uris.map((uri) => ({ uri, partition: '', bytes: 1, records: 1 }));
      put(`${nameOf(position)}.json`, encodeManifest({ ...sink, job: 'visits', ...position, files: named }));
    };
    const latest = (epoch: number, checkpoint: number): void => {
      const position = { epoch, checkpoint };
      put('latest.json', encodeLatest({ ...sink, ...position, manifest: `${nameOf(position)}.json` }));
    };
    const folder = 'memory://shown/out/_manifests/out/abcdefghijkl';
    publish(1, 2, 'a', 'b');
    publish(1, undefined, 'c');
    publish(2, 3, 'd');
    latest(2, 3);
    publish(2, 4, 'e'); // latest does not name it yet
    const { files: first, newest } = await newFiles(folder);
    expect(first.map(({ uri }) => uri)).toEqual(['a', 'b', 'c', 'd']);
    expect((await newFiles(folder, newest)).files).toEqual([]);
    latest(2, 4);
    expect((await newFiles(folder, newest)).files.map(({ uri }) => uri)).toEqual(['e']);
  });

  test('exportLines exports each line once, wherever it fails', async () => {
    const lines = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const store = memoryStore('exports');
    let last: Checkpoint = { position: 0 };
    for (let run = 0; last.position < lines.length; run++) {
      let saved = 0;
      const save = (checkpoint: Checkpoint): Promise<void> => {
        if (run < 6 && saved === Math.floor(run / 2)) return Promise.reject(new Error('It crashes.'));
        saved += 1;
        last = checkpoint;
        return Promise.resolve();
      };
      await exportLines(lines, last, save).catch(() => undefined);
    }
    await exportLines(lines, last, () => Promise.resolve());
    expect(linesBelow(store, 'lines/from-')).toEqual(lines);
    expect(keysBelow(store, 'lines/').filter((key) => key.includes('tails'))).toEqual([]);
  });

  test('sendVisits sends one after the other', async () => {
    const store = memoryStore('visits');
    store.put('raw/1.ndjson', Buffer.from('{"id":1,"kind":"a"}\n{"id":2,"kind":"b"}\n')).subscribe();
    const sent: number[] = [];
    let sending = 0;
    await sendVisits(async ({ id }) => {
      expect(++sending).toBe(1);
      await Promise.resolve();
      sending--;
      sent.push(id);
    });
    expect(sent).toEqual([1, 2]);
  });

  test('topUsers reads the state of countVisits', async () => {
    const lake = memoryStore('lake');
    const lines = ['ada', 'bo', 'cy', 'bo', 'bo'].map((user) => `{"user":"${user}"}\n`);
    lake.put('raw/1.ndjson', Buffer.from(lines.join(''))).subscribe();
    lake.delete(keysBelow(lake, 'checkpoints/')).subscribe();
    await countVisits();
    expect(await topUsers()).toEqual(['"bo": 3']);
  });

  test('copyState makes a savepoint of the state of countVisits, with an object for each user', async () => {
    const lake = memoryStore('lake');
    const lines = ['ada', 'bo', 'bo'].map((user) => `{"user":"${user}"}\n`);
    lake.put('raw/1.ndjson', Buffer.from(lines.join(''))).subscribe();
    lake.delete(keysBelow(lake, 'checkpoints/')).subscribe();
    await countVisits();
    const [folder, savepoint] = ['memory://lake/exported', 'memory://lake/imported'];
    expect(await rxjs.lastValueFrom(copyState('memory://lake/checkpoints/visits', folder, savepoint))).toBe(
      2,
    );
    using state = millrace.openState(savepoint);
    expect(await rxjs.lastValueFrom(state.get('per-user', 'visits', 'bo'))).toBe(2);
    const keys: string[] = [];
    listAll(lake, 'exported/visits/').subscribe((page) => keys.push(...page.map(({ key }) => key)));
    expect(keys.sort()).toEqual(['exported/visits/23/=05=02bo.state', 'exported/visits/90/=05=03ada.state']);
  });

  test('countPart: one job becomes two, and these become three', async () => {
    const lake = memoryStore('lake');
    lake.delete(keysBelow(lake, '')).subscribe();
    const users = Array.from({ length: 90 }, (_, i) => `user-${i % 30}`);
    lake.put('raw/1.ndjson', Buffer.from(users.map((user) => `{"user":"${user}"}\n`).join(''))).subscribe();
    let from: readonly string[] = [];
    for (const jobs of [1, 2, 3]) {
      const made: Promise<string>[] = [];
      for (let index = 0; index < jobs; index++) {
        const { job, counts } = countPart(index, jobs, from.length === 0 ? {} : { from });
        if (jobs === 1) await job.run(counts);
        job.events$.subscribe(({ type }) => {
          if (type === 'running') made.push(job.savepoint('memory://lake/savepoints', { stop: true }));
        });
        await job.run(counts);
      }
      from = await Promise.all(made);
    }
    const found: string[] = [];
    for (const index of [0, 1, 2]) {
      using state = openState(`memory://lake/checkpoints/visits-${index}-of-3`, {
        states: { visits: valueState(0) },
      });
      await rxjs.lastValueFrom(
        state
          .entries('per-user', 'visits')
          .pipe(tap(({ key, value }) => found.push(`${key as string} ${String(value)}`))),
      );
    }
    expect(found.sort()).toEqual([...new Set(users)].map((user) => `${user} 3`).sort());
  });

  test('crashedJob: after a crash at any request, the next run copies every line once', () => {
    let n = 0;
    for (let finished = false; !finished;) {
      const lake = createMemoryStore({ uri: 'memory://lake' });
      lake.put('in/1.txt', Buffer.from('one\ntwo\n')).subscribe();
      finished = runUntil(lake, ++n);
      if (!finished) expect(runUntil(lake, Infinity)).toBe(true);
      expect(linesBelow(lake, 'out/')).toEqual(['one', 'two']);
    }
    expect(n).toBeGreaterThan(10);
  });

  test('flakyStores: a job on them copies every line once', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const clock = new SimulatedClock();
      const lake = createMemoryStore({ uri: 'memory://lake' });
      lake.put('in/1.txt', Buffer.from('one\ntwo\n')).subscribe();
      const { store, counts } = counting(lake);
      const job = createJob({
        name: 'copy',
        checkpoints: { dir: 'memory://lake/checkpoints', interval: '10s' },
        stores: flakyStores(store, seeded(seed), clock),
        clock,
        logger: silentLogger,
      });
      let outcome = '';
      job.events$.subscribe(({ type }) => {
        if (type === 'finished' || type === 'failed') outcome = type;
      });
      const lines = job.source('in', files('memory://lake/in/', { format: text() }));
      void job.run(lines.pipe(fileSink('out', 'memory://lake/out', { format: text() })));
      clock.run(() => outcome !== '');
      expect(outcome).toBe('finished');
      expect(linesBelow(lake, 'out/')).toEqual(['one', 'two']);
      expect(counts().total).toBeGreaterThan(10);
    }
  });

  test('tenfold: the marbles are as drawn', () => {
    expect(results.length).toBeGreaterThan(0);
    for (const { expected, actual } of results) expect(actual).toEqual(expected);
  });

  test('the other examples of testing.md run as shown', async () => {
    const others = examplesOf('docs/testing.md').filter((code) => /\bcheck\w*\(/.test(code));
    expect(others).toHaveLength(3);
    for (const code of others) await runExample(code, { ...rxjs, ...millrace, ...testing }, { fc });
  });

  test('numbered keeps the laws', () => {
    fc.assert(
      fc.property(lawInputs(fc, fc.nat()), (input) => {
        checkLaws(() => numbered<number>('n'), input);
      }),
    );
  });

  test('countTo resumes from its position', async () => {
    const stores = createStores();
    const run = async (): Promise<number[]> => {
      const seen: number[] = [];
      const stop = new AbortController();
      const job = createJob({
        name: 'numbers',
        checkpoints: { dir: 'memory://lake/checkpoints' },
        stores,
        logger: silentLogger,
      });
      const flow = job.source('numbers', countTo(200_000)).pipe(
        values(),
        tap((n) => {
          seen.push(n);
          if (n === 0) stop.abort();
        }),
      );
      await job.run(flow, { signal: stop.signal });
      return seen;
    };
    const [first, second] = [await run(), await run()];
    expect([...first, ...second]).toEqual(Array.from({ length: 200_000 }, (_, n) => n));
    expect(second.length).toBeGreaterThan(0);
  });
});

describe('The pages', () => {
  test('have no table that is cut by a blank line: what follows would not be shown as one', () => {
    const cut = pages.flatMap((page) =>
      [...read(`docs/${page}`).matchAll(/^\|.*\n\n(\|.*)\n(?!\|-)/gm)].map(([, row]) => `${page}: ${row}`),
    );
    expect(cut).toEqual([]);
  });

  const linksOf = (path: string): string[] =>
    [...read(path).matchAll(/\]\(([^)#\s]+)(?:#[\w-]*)?\)/g)]
      .map(([, target]) => target ?? '')
      .filter((target) => !/^\w+:/.test(target))
      .map((target) => normalize(join(dirname(path), target)));

  test.each(['README.md', 'CONTRIBUTING.md', ...pages.map((name) => `docs/${name}`)])(
    '%s links to what exists',
    (path) => {
      expect(linksOf(path).filter((target) => !existsSync(join(root, target)))).toEqual([]);
    },
  );

  test('every page is linked from docs/README.md, and that from the README', () => {
    expect(linksOf('README.md')).toContain('docs/README.md');
    const index = [...linksOf('docs/README.md'), ...linksOf('docs/decisions/README.md')];
    const missing = pages.filter((name) => name !== 'README.md' && !index.includes(`docs/${name}`));
    expect(missing).toEqual([]);
  });

  test('every row of a table has as many cells as its header', () => {
    const wrong = ['README.md', 'CONTRIBUTING.md', ...pages.map((name) => `docs/${name}`)].flatMap((path) => {
      let cells = 0;
      return read(path)
        .replace(/```[^]*?```/g, (block) => block.replace(/[^\n]/g, ''))
        .split('\n')
        .flatMap((line, i) => {
          const found = line.startsWith('|') ? line.replaceAll('\\|', '').split('|').length : 0;
          const isWrong = cells > 0 && found > 0 && found !== cells;
          cells = found === 0 ? 0 : cells > 0 ? cells : found;
          return isWrong ? [`${path}:${i + 1}: ${line}`] : [];
        });
    });
    expect(wrong).toEqual([]);
  });

  test('docs/README.md names every entry of the package, and no other', () => {
    const [, table = ''] = /## Entries\n([^]*)/.exec(read('docs/README.md')) ?? [];
    const named = [...table.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(millrace[\w/]*)`/g)].map(([, entry]) => entry),
    );
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
    const entries = Object.keys(exports).filter((name) => !name.endsWith('.json'));
    expect(named.sort()).toEqual(entries.map((name) => `millrace${name.slice(1)}`).sort());
  });

  test('every rule of protocol.md links to its code and to a test, and is numbered', () => {
    const rules = [...read('docs/protocol.md').matchAll(/^\| (\d+) \| \*\*.*$/gm)];
    expect(rules.map(([, number]) => Number(number))).toEqual(rules.map((_, i) => i + 1));
    expect(rules.length).toBeGreaterThan(10);
    const unlinked = rules
      .map(([row]) => row)
      .filter((row) => !/\]\(\.\.\/src\//.test(row) || !/\]\(\.\.\/test\//.test(row));
    expect(unlinked).toEqual([]);
  });

  test('every link to a heading leads to one', () => {
    const slugs = (path: string): string[] =>
      [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );
    const wrong = ['README.md', 'CONTRIBUTING.md', ...pages.map((name) => `docs/${name}`)].flatMap((path) =>
      [...read(path).matchAll(/\]\(([^)#\s:]*)#([\w-]+)\)/g)]
        .filter(([, target = '', heading = '']) => {
          const page = target === '' ? path : normalize(join(dirname(path), target));
          return page.endsWith('.md') && !slugs(page).includes(heading);
        })
        .map(([link]) => `${path}: ${link}`),
    );
    expect(wrong).toEqual([]);
  });

  test.each(['architecture.md', 'protocol.md', 'testing.md'])(
    '%s names files and functions that exist',
    (page) => {
      const named = [
        ...read(`docs/${page}`).matchAll(
          /`((?:src|test)\/[\w/.-]+)`\]?(?:\([^)]*\))?(?: \(((?:`[\w.]+`(?:, )?)+)\))?/g,
        ),
      ];
      expect(named.length).toBeGreaterThan(0);
      const wrong = named.flatMap(([, path = '', names = '']) => {
        if (!existsSync(join(root, path))) return [path];
        const words = [...names.matchAll(/\w+/g)].map(([word]) => word);
        const code = words.length === 0 ? '' : read(path);
        return words
          .filter((word) => !new RegExp(`\\b${word}\\b`).test(code))
          .map((word) => `${path}: ${word}`);
      });
      expect(wrong).toEqual([]);
    },
  );

  test('the rooms of architecture.md are those of the lint rule, in its order', () => {
    const [, table = ''] = /<!-- rooms -->([^]*?)<!-- end -->/.exec(read('docs/architecture.md')) ?? [];
    const rooms = [...table.matchAll(/^\| `(\w+)` /gm)].map(([, room]) => room);
    const [, list = ''] = /const rooms = \[([^\]]*)\]/.exec(read('eslint.config.js')) ?? [];
    expect(rooms).toEqual([...list.matchAll(/'(\w+)'/g)].map(([, room]) => room));
  });
});
