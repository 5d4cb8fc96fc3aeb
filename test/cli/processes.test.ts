import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { startGateway, type Gateway, type GatewayEvent } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { answer, credentials } from '../store/s3support.js';
import { keys, uploadsOf } from './support.js';

const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
const MiB = 2 ** 20;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

describe('the program', () => {
  let lake: ObjectStore;
  let gateway: Gateway;
  let directory: string;
  let watch: (event: GatewayEvent) => void;
  let stalled: (part: string | undefined) => boolean;

  beforeAll(() => {
    if (!existsSync(program)) throw new Error('dist/cli is missing: run npm run build.');
  });
  beforeEach(async () => {
    watch = () => undefined;
    stalled = () => false;
    lake = createMemoryStore();
    gateway = await startGateway({
      buckets: { lake },
      credentials,
      observe: (event) => watch(event),
      faults: ({ operation, query }) =>
        operation === 'UploadPart' && stalled(query.get('partNumber'))
          ? { failure: { kind: 'stall', at: 'start' } }
          : undefined,
    });
    directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  });
  afterEach(async () => {
    await gateway.close();
    await rm(directory, { recursive: true });
  });

  const start = (...argv: string[]): ChildProcessByStdio<Writable, Readable, Readable> =>
    spawn(process.execPath, [program, ...argv], {
      cwd: directory,
      env: {
        PATH: process.env['PATH'],
        S3_ENDPOINT: gateway.endpoint,
        S3_ACCESS_KEY: credentials.accessKeyId,
        S3_SECRET_KEY: credentials.secretAccessKey,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  const ended = (child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<Ended> => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    return new Promise((resolve) => {
      child.on('close', (code, signal) =>
        resolve({ code, signal, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
      );
    });
  };

  test('copies, lists and prints; without a terminal there are plain lines and no escapes', async () => {
    await writeFile(join(directory, 'a.txt'), 'hello\n');
    const copied = await ended(start('cp', 'a.txt', 's3://lake/dir/'));
    expect(copied).toEqual({
      code: 0,
      signal: null,
      out: '',
      err: expect.stringMatching(/^Copied 1 object, 6 B( in \d+ s \([^)]*\))?\.\n$/) as string,
    });
    const listed = await ended(start('ls', '-r', 's3://lake'));
    expect(listed.out).toMatch(/^ {6}6 B {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}dir\/a\.txt\n$/);
    expect((await ended(start('cat', 's3://lake/dir/a.txt'))).out).toBe('hello\n');
    expect((await answer(lake.head('dir/a.txt'))).size).toBe(6);
  });

  test.each([
    [0, ['--version']],
    [2, ['frobnicate']],
    [2, ['rm', 's3://lake']],
    [3, ['stat', 's3://lake/nothing']],
    [3, ['ls', './nothing']],
    [1, ['ls', 's3://lake', '--set', 's3.secret-key=another']],
  ])('exits with %d after %j', async (code, argv) => {
    await answer(lake.put('a', Buffer.from('a')));
    expect((await ended(start(...argv))).code).toBe(code);
  });

  test('reads standard input to its end', async () => {
    const child = start('cp', '-', 's3://lake/in');
    const end = ended(child);
    child.stdin.write('one ');
    child.stdin.end('two');
    expect((await end).code).toBe(0);
    const { chunks } = await answer(lake.get('in'));
    expect(Buffer.concat(chunks).toString()).toBe('one two');
  });

  test('ends quietly when the reader of its output goes away', async () => {
    await answer(lake.put('big', Buffer.alloc(40 * MiB)));
    const child = start('cat', 's3://lake/big');
    const errors: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.on('exit', resolve));
    expect({ code, err: Buffer.concat(errors).toString() }).toEqual({ code: 0, err: '' });
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s in the middle of a copy: exit code %d, no upload left, nothing half-written',
    async (signal, code) => {
      await writeFile(join(directory, 'big'), '');
      await truncate(join(directory, 'big'), 20 * MiB);
      stalled = (part) => part === '2';
      const child = start('cp', '--no-resume', 'big', 's3://lake/');
      watch = ({ phase, operation, query }) => {
        if (operation === 'UploadPart' && phase === 'started' && query.get('partNumber') === '2')
          child.kill(signal);
      };
      expect(await ended(child)).toEqual({
        code,
        signal: null,
        out: '',
        err: `millrace: Interrupted: Stopped by ${signal}.\n`,
      });
      expect(await keys(lake)).toEqual([]);
      expect(await uploadsOf(lake)).toBe(0);
    },
  );

  test('SIGINT while standard input is open and idle', async () => {
    const child = start('cp', '-', 's3://lake/in');
    watch = ({ phase, operation }) => {
      if (operation === 'UploadPart' && phase === 'finished') child.kill('SIGINT');
    };
    const end = ended(child);
    child.stdin.on('error', () => undefined);
    child.stdin.write(Buffer.alloc(17 * MiB));
    expect((await end).code).toBe(130);
    expect(await keys(lake)).toEqual([]);
    expect(await uploadsOf(lake)).toBe(0);
  });

  test('a second SIGINT ends it immediately', async () => {
    await writeFile(join(directory, 'big'), '');
    await truncate(join(directory, 'big'), 20 * MiB);
    stalled = (part) => part === '2';
    let aborts = 0;
    const child = start('cp', '--no-resume', 'big', 's3://lake/');
    watch = ({ phase, operation, query }) => {
      if (operation === 'UploadPart' && phase === 'started' && query.get('partNumber') === '2')
        child.kill('SIGINT');
      if (operation === 'AbortMultipartUpload' && phase === 'started' && ++aborts === 1) child.kill('SIGINT');
    };
    expect(await ended(child)).toMatchObject({ code: 130 });
  });
});
