import { MillraceError, type JobEvent } from '../../src/index.js';
import { logEvent } from '../../src/job/logEvent.js';

interface Line {
  readonly level: string;
  readonly context: object;
  readonly message: string;
}

/** What a logger gets of events. */
function logged(...events: readonly JobEvent[]): Line[] {
  const lines: Line[] = [];
  const noting = (level: string) => (context: object, message: string) => {
    lines.push({ level, context, message });
  };
  const logger = {
    debug: noting('debug'),
    info: noting('info'),
    warn: noting('warn'),
    error: noting('error'),
  };
  for (const event of events) logEvent(logger, 'clicks', event);
  return lines;
}

const job = 'clicks';
const broken = new MillraceError('Broken', 'It broke.');

test('a logger gets the lifecycle events of a job, and no foreign messages', () => {
  const lines = logged(
    { type: 'attempt-started', job, attempt: 1 },
    { type: 'running', job, jobId: 'j', epoch: 2, checkpoint: 7 },
    { type: 'restarting', job, delayMs: 100, error: broken },
    { type: 'stopped', job },
    { type: 'finished', job },
    { type: 'failed', job, error: new RangeError('a password, perhaps') },
  );
  expect(lines.map(({ level, context, message }) => [level, context, message])).toEqual([
    ['info', { job, epoch: 2, checkpoint: 7 }, 'The job runs'],
    ['warn', { job, delay: 100, code: 'Broken', error: 'It broke.' }, 'The job failed and starts again'],
    ['info', { job }, 'The job has stopped'],
    ['info', { job }, 'The job has finished'],
    ['error', { job, code: 'UNKNOWN', name: 'RangeError' }, 'The job failed'],
  ]);
});

test('a consumer that has left is no failure', () => {
  const error = new MillraceError('Abandoned', 'The consumer left.');
  expect(logged({ type: 'failed', job, error, operator: 'out' })).toEqual([
    {
      level: 'info',
      context: { job, operator: 'out' },
      message: 'The consumer of the records left before the end',
    },
  ]);
});

test('delays are logged in whole milliseconds', () => {
  const batch = { operator: 'out', checkpoint: 1, sequence: 0, tried: 1, delayMs: 3.98, error: broken };
  expect(logged({ type: 'publish-retried', ...batch }).map(({ context }) => context)).toMatchObject([
    { delay: 4 },
  ]);
});

test('skipped input is a warning', () => {
  const left = { operator: 'raw', object: 'file:///data/socket', reason: 'It is a socket.' };
  expect(logged({ type: 'input-skipped', ...left })).toEqual([
    {
      level: 'warn',
      context: { job, ...left },
      message: 'Part of the input cannot be read and was skipped',
    },
  ]);
});

test('input that was changed after it was read is a warning, less and less often', () => {
  const lines = logged(
    ...[1, 2, 3, 4].map((count) => ({
      type: 'input-changed' as const,
      operator: 'raw',
      object: `file:///in/${count}`,
      count,
    })),
  );
  expect(lines.map(({ level, context }) => [level, (context as { count: number }).count])).toEqual([
    ['warn', 1],
    ['warn', 2],
    ['warn', 4],
  ]);
});

test('problems that do not end the job are warnings', () => {
  const lines = logged(
    {
      type: 'checkpoint-failed',
      checkpoint: 3,
      waitingFor: ['out'],
      durationMs: 600_000,
      buffered: { in: 8 },
      message: 'It failed.',
    },
    { type: 'deletion-refused', names: 3, error: broken },
    { type: 'sweep-skipped', error: broken },
    { type: 'compaction-failed', operator: 'k', inputs: 8, error: broken },
    { type: 'memory-exceeded', job, state: 2048, memory: 1024, message: 'State is large.' },
    { type: 'warning', operator: 'out', message: 'Uploads were not swept.', error: broken },
  );
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn', 'warn', 'warn', 'warn']);
  expect(lines.at(-1)).toMatchObject({
    context: { job, operator: 'out', code: 'Broken', error: 'It broke.' },
    message: 'Uploads were not swept.',
  });
});

test('a stall is a warning, and its end is not', () => {
  const waiting = { on: 'acks', checkpoint: 3, operators: ['out'] } as const;
  expect(
    logged(
      { type: 'stalled', job, waiting, forMs: 30_000, message: 'It waits.' },
      { type: 'resumed', job, waiting, forMs: 40_000, message: 'It continues.' },
    ),
  ).toEqual([
    { level: 'warn', context: { job, ...waiting }, message: 'It waits.' },
    { level: 'info', context: { job, ...waiting }, message: 'It continues.' },
  ]);
});

test('frequent events are only in events$', () => {
  const lines = logged(
    { type: 'checkpoint-started', checkpoint: 1, reason: 'periodic' },
    { type: 'checkpoint-durable', checkpoint: 1, n: 2, durationMs: 3, bytes: 4 },
    { type: 'committed', operator: 'out', uri: 'memory://lake/out/a', bytes: 1, records: 1 },
    { type: 'reported', operator: 'mine', event: { type: 'seen', operator: 'mine', count: 1 } },
  );
  expect(lines).toEqual([]);
});
