import { MillraceError, type Logger } from '../../src/index.js';
import { logEvent } from '../../src/job/logEvent.js';

test('a logger hears of the turns in a job’s life, and of no message that is not ours', () => {
  const said: unknown[] = [];
  const noting = (level: string) => (context: object, message: string) => {
    said.push([level, context, message]);
  };
  const logger: Logger = {
    debug: noting('debug'),
    info: noting('info'),
    warn: noting('warn'),
    error: noting('error'),
  };
  const job = 'clicks';
  logEvent(logger, { type: 'attempt-started', job, attempt: 1 });
  logEvent(logger, { type: 'running', job, jobId: 'j', epoch: 2, checkpoint: 7 });
  logEvent(logger, {
    type: 'restarting',
    job,
    delayMs: 100,
    error: new MillraceError('Broken', 'It broke.'),
  });
  logEvent(logger, { type: 'stopped', job });
  logEvent(logger, { type: 'finished', job });
  logEvent(logger, { type: 'failed', job, error: new Error('a password, perhaps') });
  expect(said).toEqual([
    ['info', { job, epoch: 2, checkpoint: 7 }, 'The job runs'],
    ['warn', { job, delay: 100, code: 'Broken', error: 'It broke.' }, 'The job failed and starts again'],
    ['info', { job }, 'The job has stopped'],
    ['info', { job }, 'The job has finished'],
    ['error', { job, code: 'UNKNOWN' }, 'The job failed'],
  ]);
});
