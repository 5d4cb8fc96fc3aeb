import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJob, fileSink, silentLogger, type JobEvent } from '../../src/index.js';
import { text } from '../../src/formats/text.js';
import { files, type FilesOptions } from '../../src/sources/files.js';
import { createLocalStore } from '../../src/store/local/index.js';
import { createStores } from '../../src/store/registry.js';
import { refusingDisk } from '../store/refusingDisk.js';
import { readAll, type Reading } from './harness.js';

describe('what is not a file in a local directory', () => {
  let root: string;
  const at = (name: string): string => join(root, name);
  const read = (pattern: string, options: Partial<FilesOptions<string>> = {}): Promise<Reading<string>> => {
    const uri = `file://${root}/${pattern}`;
    return readAll(files(uri, { format: text(), ...options }), createStores().open(uri).store);
  };
  const skipped = ({ attempt }: Reading<string>): unknown[] =>
    attempt.trace
      .flatMap((trace) =>
        trace.type === 'report' && trace.event.type === 'input-skipped' ? [trace.event] : [],
      )
      .map(({ object }) => decodeURIComponent(String(object)).replace(`file://${root}/`, ''));
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-files-'));
    await mkdir(at('raw/sub'), { recursive: true });
    await mkdir(at('other'));
    await writeFile(at('raw/a.txt'), 'a\n');
    await writeFile(at('raw/sub/b.txt'), 'b\n');
    await writeFile(at('other/c.txt'), 'c\n');
  });
  afterEach(() => rm(root, { recursive: true }));

  test.each([
    ['a name that is not UTF-8', () => writeFile(Buffer.from(`${at('raw')}/Z\xfc.txt`, 'latin1'), 'x')],
    ['a link that leads nowhere', () => symlink('nowhere', at('raw/z.txt'))],
    ['a pipe', () => Promise.resolve(execFileSync('mkfifo', [at('raw/z.txt')]))],
    ['a link in a circle', () => symlink('..', at('raw/sub/loop'))],
  ])('ends the job: %s', async (_, make) => {
    await make();
    for (const pattern of ['raw/', 'raw/**/*.txt', 'raw']) {
      const { error } = await read(pattern);
      expect(error).toMatchObject({ code: 'UnreadableInput', retryable: false });
    }
  });

  test('is skipped if configured, and reported', async () => {
    await symlink('nowhere', at('raw/broken'));
    await writeFile(Buffer.from(`${at('raw')}/Z\xfc.txt`, 'latin1'), 'x');
    const reading = await read('raw/', { unreadable: 'skip' });
    expect(reading.error).toBeUndefined();
    expect(reading.records).toEqual(['a', 'b']);
    expect(skipped(reading)).toEqual(['raw/Z\ufffd.txt', 'raw/broken']);
  });

  test('is an event of the job', async () => {
    await symlink('nowhere', at('raw/broken'));
    const job = createJob({
      name: 'unlisted',
      checkpoints: { dir: `file://${root}/checkpoints` },
      logger: silentLogger,
    });
    const events: JobEvent[] = [];
    job.events$.subscribe((event) => events.push(event));
    const source = files(`file://${root}/raw/`, { format: text(), unreadable: 'skip' });
    await job.run(job.source('raw', source).pipe(fileSink('out', `file://${root}/out`, { format: text() })));
    expect(events.filter(({ type }) => type === 'input-skipped')).toEqual([
      {
        type: 'input-skipped',
        operator: 'raw',
        object: `file://${root}/raw/broken`,
        reason: expect.stringContaining('leads nowhere') as string,
      },
    ]);
  });

  test('is ignored if it could not match, or is hidden', async () => {
    await symlink('nowhere', at('raw/broken'));
    await symlink('..', at('raw/sub/loop'));
    await symlink('nowhere', at('raw/.z.txt'));
    const { records, error } = await read('raw/*.txt');
    expect(error).toBeUndefined();
    expect(records).toEqual(['a']);
    expect((await read('raw/*.txt', { hidden: true })).error).toMatchObject({ code: 'UnreadableInput' });
  });

  test.each([
    ['follow', ['a', 'c', 'a', 'b'], []],
    ['files', undefined, []],
    ['skip', ['a', 'b'], ['raw/dir/', 'raw/file.txt']],
    ['fail', undefined, []],
  ] as const)('links: %s', async (links, records, left) => {
    await symlink('../other', at('raw/dir'));
    await symlink('a.txt', at('raw/file.txt'));
    const reading = await read('raw/', { links });
    if (records === undefined) expect(reading.error).toMatchObject({ code: 'UnreadableInput' });
    else expect(reading.records).toEqual(records);
    expect(skipped(reading)).toEqual(left);
  });

  test('a directory that may not be read ends the job, unless nothing in it could match', async () => {
    const [, bucket = ''] = root.split('/');
    const store = createLocalStore(`/${bucket}`, { disk: refusingDisk(['readdir', at('raw/sub')]) });
    const reading = (pattern: string): Promise<Reading<string>> =>
      readAll(files(`file://${root}/${pattern}`, { format: text() }), store);
    expect((await reading('raw/**')).error).toMatchObject({ code: 'UnreadableInput' });
    expect(await reading('raw/*.txt')).toMatchObject({ records: ['a'], error: undefined });
  });
});
