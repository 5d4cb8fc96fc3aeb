/** What a new user runs first: the job of the README, and the pages of docs/getting-started.md. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as fs from 'node:fs';
import * as millrace from 'millrace';
import { createMemoryStore, createStores, listAll } from 'millrace/stores';
import * as rxjs from 'rxjs';
import { exampleOf, runExample } from './program.js';

test('the job of the README counts clicks', async () => {
  const lake = createMemoryStore({ uri: 's3://lake' });
  const stores = createStores({ schemes: { s3: () => lake } });
  const visits = ['click', 'view', 'click'].map((kind) => `{"user":"ann","kind":"${kind}"}\n`);
  await rxjs.lastValueFrom(lake.put('raw/2026/1.ndjson.gz', gzipSync(visits.join(''))));
  const createJob = (options: millrace.JobOptions) =>
    millrace.createJob({ ...options, stores, logger: millrace.silentLogger });
  await runExample(exampleOf('README.md'), { ...rxjs, ...millrace, createJob });
  const pages = await rxjs.lastValueFrom(listAll(lake, 'clicks/').pipe(rxjs.toArray()));
  const bodies = await Promise.all(pages.flat().map(({ key }) => rxjs.lastValueFrom(lake.get(key))));
  expect(bodies.map(({ chunks }) => Buffer.concat(chunks).toString())).toEqual([
    '{"user":"ann","clicks":1}\n{"user":"ann","clicks":2}\n',
  ]);
});

describe('docs/getting-started.md', () => {
  const page = 'docs/getting-started.md';

  test('its job counts every click once when it is stopped and resumed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-started-'));
    try {
      const here = (path: string): string => join(dir, path);
      await runExample(exampleOf(page, 0).replace('200_000', '40_000'), {
        mkdirSync: (path: string, options: fs.MakeDirectoryOptions) => fs.mkdirSync(here(path), options),
        writeFileSync: (path: string, text: string) => {
          fs.writeFileSync(here(path), text);
        },
      });
      const outcomes: unknown[] = [];
      const run = async (stopAtFirstCheckpoint: boolean): Promise<void> => {
        const stop = new AbortController();
        const createJob = (options: millrace.JobOptions): millrace.Job => {
          const { dir: log } = options.checkpoints ?? {};
          const job = millrace.createJob({
            ...options,
            checkpoints: { ...(log === undefined ? {} : { dir: log }), interval: '1ms' },
            logger: millrace.silentLogger,
          });
          if (stopAtFirstCheckpoint)
            job.events$.subscribe(({ type }) => {
              if (type === 'checkpoint-durable') stop.abort();
            });
          return job;
        };
        const console = {
          log: (shown: unknown) => {
            if (typeof shown === 'object') outcomes.push(shown);
          },
        };
        const job = exampleOf(page, 1).replaceAll(
          'import.meta.url',
          JSON.stringify(pathToFileURL(here('job.mjs'))),
        );
        await runExample(job, { ...rxjs, ...millrace, createJob, stopOn: () => stop.signal }, { console });
      };
      await run(true);
      await run(false);
      await run(false);
      expect(outcomes).toEqual([{ outcome: 'stopped' }, { outcome: 'finished' }, { outcome: 'finished' }]);
      const names = (await readdir(here('lake/clicks'))).filter((name) => name.endsWith('.ndjson'));
      const bodies = await Promise.all(names.map((name) => readFile(here(`lake/clicks/${name}`), 'utf8')));
      const lines = bodies.join('').trim().split('\n');
      expect(lines).toHaveLength(320_000);
      expect(new Set(lines).size).toBe(320_000);
      expect(lines).toContain('{"user":"user7","clicks":320}');
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
