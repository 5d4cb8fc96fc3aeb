import { PassThrough } from 'node:stream';
import { jest } from '@jest/globals';
import { screen } from '../../examples/main-job/screen.js';
import type { Progress } from '../../examples/main-job/supervise.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A stream like that of a process, and what was written to it. */
function output(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const terminal = {
    isTTY,
    columns: 200,
    cursorTo: () => true,
    moveCursor: () => true,
    clearLine: () => true,
  };
  return { stream: Object.assign(stream, terminal) as unknown as NodeJS.WriteStream, text: () => text };
}

const progress = (objects: number, bytes: number, complete: boolean): Progress =>
  ({
    events: bytes / 10,
    checkpoints: 4,
    kills: 1,
    input: {
      listed: { objects: 20, bytes: 20_000 },
      read: { objects, bytes },
      left: { objects: 20 - objects, bytes: 20_000 - bytes },
      complete,
    },
  }) as Progress;

test('a terminal shows a bar of the bytes that are read of those that are listed', () => {
  const { stream, text } = output(true);
  const shown = screen(stream);
  const job = shown.job(5000, 3);
  job(progress(5, 5000, false));
  jest.advanceTimersByTime(1000);
  expect(text()).toMatch(/clicks {4}█+░+ 25% {2}5\/20\+ objects .* 4 checkpoints {2}1\/3 kills/);
  job(progress(20, 20_000, true));
  shown.close();
  expect(text()).toMatch(/clicks {4}█{20} 100% {2}20\/20 objects /);
});

test('elsewhere there is a line every five seconds', () => {
  const { stream, text } = output(false);
  const job = screen(stream).job(5000, 3);
  job(progress(1, 1000, false));
  jest.advanceTimersByTime(4000);
  job(progress(4, 4000, true));
  expect(text()).toBe('');
  jest.advanceTimersByTime(1000);
  job(progress(5, 5000, true));
  job(progress(6, 6000, true));
  expect(text()).toBe('clicks 5/20 objects, 500/5,000 events, 100 records/s, 4 checkpoints, 1/3 kills\n');
});
