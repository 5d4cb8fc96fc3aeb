import { spawn } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryStore } from 'millrace/stores';
import { startGateway, type Gateway } from 'millrace/testing';
import { Digest, expectedDigest } from '../../bench/synthetic/digest.js';
import { SyntheticStore } from '../../bench/synthetic/store.js';

const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
const MiB = 2 ** 20;
const small = 16 * MiB;
/** More than `cp` may hold. The input file is sparse, the output is not. */
const large = { up: 320 * MiB, down: 320 * MiB };
/** The memory that the settings allow: 16 concurrent requests with parts of 8 MiB. */
const budget = 16 * 8 * MiB;

/** Runs the program with an emulated terminal as standard error, and returns the memory it used. */
const preload = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs';
  Object.defineProperty(process.stderr, 'isTTY', { value: true });
  Object.defineProperty(process.stderr, 'columns', { value: 100 });
  process.on('exit', () => writeSync(3, String(process.resourceUsage().maxRSS * 1024)));
`)}`;

interface Figures {
  readonly code: number | null;
  /** Bytes. */
  readonly peak: number;
  readonly err: string;
}

describe('millrace cp of a large object', () => {
  let gateway: Gateway;
  let directory: string;
  const store = new SyntheticStore(createMemoryStore({ uri: 'memory://bench' }), {
    generated: { [`generated/${small}`]: small, [`generated/${large.down}`]: large.down },
    sink: 'out/',
  });

  beforeAll(async () => {
    if (!existsSync(program)) throw new Error('dist/cli is missing: run npm run build.');
    gateway = await startGateway({
      buckets: { bench: store },
      credentials: { accessKeyId: 'bench', secretAccessKey: 'bench-secret' },
    });
    directory = await mkdtemp(join(tmpdir(), 'millrace-cp-'));
  });
  afterAll(async () => {
    await gateway.close();
    await rm(directory, { recursive: true });
  });

  const millrace = (...argv: string[]): Promise<Figures> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, ['--import', preload, program, ...argv], {
        cwd: directory,
        env: {
          PATH: process.env['PATH'],
          LANG: 'C.UTF-8',
          S3_ENDPOINT: gateway.endpoint,
          S3_ACCESS_KEY: 'bench',
          S3_SECRET_KEY: 'bench-secret',
        },
        stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
      });
      let [err, peak] = ['', ''];
      child.stdio[2]?.on('data', (chunk: Buffer) => (err += chunk.toString()));
      child.stdio[3]?.on('data', (chunk: Buffer) => (peak += chunk.toString()));
      child.on('close', (code) => resolve({ code, peak: Number(peak), err }));
    });

  const bounded = async (
    bytes: number,
    size: string,
    copy: (bytes: number) => Promise<Figures>,
  ): Promise<void> => {
    const warm = await copy(small);
    const { code, peak, err } = await copy(bytes);
    expect({ code, err: err.slice(-200) }).toEqual({
      code: 0,
      err: expect.stringContaining(`Copied 1 object, ${size}`) as unknown,
    });
    // The bar was there, and moved.
    expect(
      new Set([...err.matchAll(/Copying +(\d+)% {2}[━─]+ {2}/g)].map(([, part]) => part)).size,
    ).toBeGreaterThan(1);
    expect(peak - warm.peak).toBeLessThanOrEqual(budget + 150e6);
  };

  test('up, from a file', async () => {
    await bounded(large.up, '320 MiB', async (bytes) => {
      const name = `sparse-${bytes}`;
      await writeFile(join(directory, name), '');
      await truncate(join(directory, name), bytes);
      return millrace('cp', name, 's3://bench/out/');
    });
    const zeros = new Digest();
    const zero = Buffer.alloc(small);
    for (let at = 0; at < large.up; at += small) zeros.update(zero);
    expect(store.published().get(`out/sparse-${large.up}`)).toMatchObject({
      size: large.up,
      digest: zeros.toString(),
    });
  });

  test('down, to a file', async () => {
    await bounded(large.down, '320 MiB', (bytes) =>
      millrace('cp', `s3://bench/generated/${bytes}`, `down-${bytes}`),
    );
    const digest = new Digest();
    for await (const chunk of createReadStream(join(directory, `down-${large.down}`), { highWaterMark: MiB }))
      digest.update(chunk as Buffer);
    expect(digest.toString()).toBe(expectedDigest(large.down));
  });
});
