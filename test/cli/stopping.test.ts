import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { Interrupted } from '../../src/cli/exit.js';
import {
  startGateway,
  type Fault,
  type FaultRequest,
  type Gateway,
  type GatewayEvent,
} from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { answer, credentials } from '../store/s3support.js';
import { cli, keys, uploadsOf, type Given } from './support.js';

const MiB = 2 ** 20;

describe('a stopped command', () => {
  let lake: ObjectStore;
  let gateway: Gateway;
  let directory: string;
  let given: Given;
  let fault: (request: FaultRequest) => Fault | undefined;
  let watch: (event: GatewayEvent) => void;
  let sent: number;

  beforeEach(async () => {
    fault = () => undefined;
    watch = () => undefined;
    sent = 0;
    lake = createMemoryStore();
    gateway = await startGateway({
      buckets: { lake },
      credentials,
      faults: (request) => fault(request),
      observe: (event) => {
        watch(event);
        if (event.phase === 'finished') sent += event.sent;
      },
    });
    directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
    given = {
      cwd: directory,
      env: {
        S3_ENDPOINT: gateway.endpoint,
        S3_ACCESS_KEY: credentials.accessKeyId,
        S3_SECRET_KEY: credentials.secretAccessKey,
      },
    };
  });
  afterEach(async () => {
    await gateway.close();
    await rm(directory, { recursive: true });
  });

  /** Interrupts when all parts but one have arrived; the last never does. */
  const interruptedWithout = (number: string, arrived: number): AbortSignal => {
    const interrupt = new AbortController();
    fault = ({ operation, query }) =>
      operation === 'UploadPart' && query.get('partNumber') === number
        ? { failure: { kind: 'stall', at: 'start' } }
        : undefined;
    let parts = 0;
    watch = ({ phase, operation }) => {
      if (operation === 'UploadPart' && phase === 'finished' && ++parts === arrived)
        setImmediate(() => interrupt.abort(new Interrupted('SIGINT')));
    };
    return interrupt.signal;
  };

  test('cp: no part of the object is visible, and the same command resumes with the parts that were uploaded', async () => {
    const body = Buffer.alloc(20 * MiB, 'x');
    await writeFile(join(directory, 'big'), body);
    const first = await cli(['cp', 'big', 's3://lake/'], { ...given, interrupt: interruptedWithout('3', 2) });
    expect(first).toMatchObject({ code: 130, out: '' });
    expect(first.err).toBe('Repeat the command to continue.\nmillrace: Interrupted: Stopped by SIGINT.\n');
    expect(await keys(lake)).toEqual(['.big.millrace-partial']);
    expect(await uploadsOf(lake)).toBe(1);

    const parts: (string | undefined)[] = [];
    fault = ({ operation, query }) => {
      if (operation === 'UploadPart') parts.push(query.get('partNumber'));
      return undefined;
    };
    expect(await cli(['cp', 'big', 's3://lake/'], given)).toMatchObject({ code: 0 });
    // Parts that arrived are kept; a request may be repeated.
    expect(new Set(parts)).toEqual(new Set(['3']));
    expect(await keys(lake)).toEqual(['big']);
    expect(await uploadsOf(lake)).toBe(0);
    expect((await answer(lake.head('big'))).size).toBe(body.length);
  });

  test('cp --no-resume leaves nothing', async () => {
    await writeFile(join(directory, 'big'), Buffer.alloc(20 * MiB));
    const outcome = await cli(['cp', '--no-resume', 'big', 's3://lake/'], {
      ...given,
      interrupt: interruptedWithout('2', 1),
    });
    expect(outcome).toMatchObject({ code: 130, err: 'millrace: Interrupted: Stopped by SIGINT.\n' });
    expect(await keys(lake)).toEqual([]);
    expect(await uploadsOf(lake)).toBe(0);
  });

  test('cp from standard input leaves nothing', async () => {
    const stdin = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(MiB);
      })(),
    );
    const outcome = await cli(['cp', '-', 's3://lake/endless'], {
      ...given,
      stdin,
      interrupt: interruptedWithout('2', 1),
    });
    expect(outcome.code).toBe(130);
    expect(await keys(lake)).toEqual([]);
    expect(await uploadsOf(lake)).toBe(0);
    expect(stdin.destroyed).toBe(true);
  });

  test('cp does not wait for an idle standard input', async () => {
    const stdin = new Readable({ read: () => undefined });
    stdin.push(Buffer.alloc(20 * MiB));
    const interrupt = interruptedWithout('2', 1);
    const outcome = await cli(['cp', '-', 's3://lake/idle'], { ...given, stdin, interrupt });
    expect(outcome.code).toBe(130);
    expect(stdin.destroyed).toBe(true);
    expect(await uploadsOf(lake)).toBe(0);
  });

  test('does nothing if it was stopped before it started', async () => {
    const interrupt = AbortSignal.abort(new Interrupted('SIGTERM'));
    expect(await cli(['ls', 's3://lake'], { ...given, interrupt })).toMatchObject({ code: 143, out: '' });
  });

  test('cat: a reader that goes away is not an error, and nothing more is read', async () => {
    await answer(lake.put('big', Buffer.alloc(256 * MiB)));
    let taken = 0;
    const stdout = new Writable({
      write(chunk: Buffer, _, done) {
        taken += chunk.length;
        done(taken < MiB ? null : Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      },
    });
    const outcome = await cli(['cat', 's3://lake/big', 's3://lake/big'], { ...given, stdout });
    expect(outcome).toMatchObject({ code: 0, err: '' });
    expect(sent).toBeLessThan(128 * MiB);
  });

  test('cat: the data for a slow reader waits in the store, not in the stream', async () => {
    await answer(lake.put('big', Buffer.alloc(256 * MiB)));
    const interrupt = new AbortController();
    // The first chunk is never consumed.
    const stdout = new Writable({ write: () => undefined });
    let held: number | undefined;
    watch = ({ phase, operation }) => {
      if (operation !== 'GetObject' || phase !== 'finished' || sent < 10 * MiB || held !== undefined) return;
      setImmediate(() => {
        held = stdout.writableLength;
        interrupt.abort(new Interrupted('SIGINT'));
      });
    };
    const outcome = await cli(['cat', 's3://lake/big'], { ...given, stdout, interrupt: interrupt.signal });
    expect(outcome.code).toBe(130);
    expect(held).toBeLessThanOrEqual(2 * MiB);
    stdout.destroy();
  });

  test('any other failure of standard output is an error', async () => {
    await answer(lake.put('a', Buffer.from('a')));
    const stdout = new Writable({
      write: (_, __, done) => done(Object.assign(new Error('no space left'), { code: 'ENOSPC' })),
    });
    const outcome = await cli(['cat', 's3://lake/a'], { ...given, stdout });
    expect(outcome).toMatchObject({ code: 1, err: expect.stringContaining('no space left') as unknown });
  });
});
