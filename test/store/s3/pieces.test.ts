import { Readable } from 'node:stream';
import { Pieces } from '../../../src/store/s3/pieces.js';

const KiB = 1024;

/** Resolves when everything that is due has run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('hands on whole pieces with their positions, and the rest at the end', async () => {
  const taken: [number, number][] = [];
  const pieces = new Pieces((chunks, at) => {
    taken.push([at, chunks.reduce((sum, chunk) => sum + chunk.length, 0)]);
    return Promise.resolve();
  });
  const body = new Readable({ read: () => undefined });
  for (let i = 0; i < 20; i++) pieces.add(Buffer.alloc(64 * KiB), body);
  await pieces.end();
  expect(taken).toEqual([
    [0, 512 * KiB],
    [512 * KiB, 512 * KiB],
    [1024 * KiB, 256 * KiB],
  ]);
});

it('holds the body while three pieces are underway', async () => {
  const done: (() => void)[] = [];
  const pieces = new Pieces(() => new Promise((resolve) => done.push(resolve)));
  const body = new Readable({ read: () => undefined }).on('data', () => undefined);
  const states: boolean[] = [];
  for (let i = 0; i < 3; i++) {
    pieces.add(Buffer.alloc(512 * KiB), body);
    states.push(body.isPaused());
  }
  done.shift()?.();
  await turn();
  expect([...states, body.isPaused()]).toEqual([false, false, true, false]);
  for (const finish of done) finish();
  await pieces.end();
});

it('destroys the body when a piece is refused, and fails with that error', async () => {
  const pieces = new Pieces(() => Promise.reject(new Error('disk full')));
  const body = new Readable({ read: () => undefined });
  pieces.add(Buffer.alloc(512 * KiB), body);
  await turn();
  expect(body.destroyed).toBe(true);
  await expect(pieces.end()).rejects.toThrow('disk full');
});
