import { errorFields, type Logger } from '../config/logger.js';
import { MillraceError } from '../errors.js';
import type { JobEvent } from './events.js';
import { RunAborted, type FailurePlace } from './failure.js';

/** Logs events of a job's lifecycle, and problems. Frequent events are only in `events$`. */
export function logEvent(logger: Logger, job: string, event: JobEvent): void {
  switch (event.type) {
    case 'running':
      logger.info({ job, epoch: event.epoch, checkpoint: event.checkpoint }, 'The job runs');
      return;
    case 'finished':
    case 'stopped':
      logger.info({ job }, `The job has ${event.type}`);
      return;
    case 'restarting':
      logger.warn(
        { job, delay: Math.round(event.delayMs), ...placeOf(event), ...errorFields(event.error) },
        'The job failed and starts again',
      );
      return;
    case 'failed':
      if (event.error instanceof RunAborted) logger.info({ job }, 'The run was aborted');
      // The consumer meant to: `toAsyncIterable` does not throw it.
      else if (event.error instanceof MillraceError && event.error.code === 'Abandoned')
        logger.info({ job, ...placeOf(event) }, 'The consumer of the records left before the end');
      else logger.error({ job, ...placeOf(event), ...errorFields(event.error) }, 'The job failed');
      return;
    case 'stalled':
      logger.warn({ job, ...event.waiting }, event.message);
      return;
    case 'resumed':
      logger.info({ job, ...event.waiting }, event.message);
      return;
    case 'memory-exceeded':
      logger.warn({ job, state: event.state, memory: event.memory }, event.message);
      return;
    case 'checkpoint-failed':
      logger.warn(
        { job, checkpoint: event.checkpoint, waitingFor: event.waitingFor, buffered: event.buffered },
        event.message,
      );
      return;
    case 'manifest-in-doubt':
      // Logged the 1st, 2nd, 4th, 8th … time: less and less often.
      if (Number.isInteger(Math.log2(event.tries)))
        logger.warn(
          { job, n: event.n, tries: event.tries, ...errorFields(event.error) },
          'It is unknown whether an entry of the job’s log was written; the request is repeated until its outcome is known',
        );
      return;
    case 'savepoint-made':
      logger.info(
        { job, uri: event.uri, checkpoint: event.checkpoint, objects: event.objects, bytes: event.bytes },
        'A savepoint is complete',
      );
      return;
    case 'savepoint-failed':
      logger.warn({ job, uri: event.uri, ...errorFields(event.error) }, 'A savepoint was not made');
      return;
    case 'deletion-refused':
      logger.warn(
        { job, names: event.names, ...errorFields(event.error) },
        'Objects of earlier checkpoints could not be deleted: grant s3:DeleteObject below the checkpoint directory',
      );
      return;
    case 'input-skipped': {
      const { operator, object, reason } = event;
      logger.warn({ job, operator, object, reason }, 'Part of the input cannot be read and was skipped');
      return;
    }
    case 'input-changed': {
      const { operator, object, count } = event;
      // Logged the 1st, 2nd, 4th, 8th … time: less and less often.
      if (Number.isInteger(Math.log2(count)))
        logger.warn(
          { job, operator, object, count },
          'An object was changed after it was read, and is not read again: write objects elsewhere and rename them when they are complete, or set changed to read',
        );
      return;
    }
    case 'input-not-read':
      logger.warn(
        { job, operator: event.operator, objects: event.objects, object: event.object },
        event.message,
      );
      return;
    case 'discovery-failed':
      logger.warn({ job, operator: event.operator, ...errorFields(event.error) }, event.message);
      return;
    case 'sweep-skipped':
      logger.warn(
        { job, ...errorFields(event.error) },
        'Leftovers of earlier attempts could not all be removed; the next start tries again',
      );
      return;
    case 'compaction-failed':
      logger.warn(
        { job, operator: event.operator, ...errorFields(event.error) },
        'Segments of state could not be merged; the merge is retried later',
      );
      return;
    case 'record-skipped': {
      const { operator, count, reason } = event;
      // Logged the 1st, 2nd, 4th, 8th … time: less and less often.
      if (Number.isInteger(Math.log2(count)))
        logger.warn({ job, operator, count, reason }, 'A record could not be encoded and was skipped');
      return;
    }
    case 'publish-retried':
      // Logged the 1st, 2nd, 4th, 8th … time: less and less often.
      if (Number.isInteger(Math.log2(event.tried))) {
        const { operator, checkpoint, sequence, tried, delayMs, error } = event;
        logger.warn(
          { job, operator, checkpoint, sequence, tried, delay: Math.round(delayMs), ...errorFields(error) },
          'The target of a sink did not take a batch, which is tried again',
        );
      }
      return;
    case 'batch-dead-lettered': {
      const { operator, uri, records, reason } = event;
      logger.warn(
        { job, operator, uri, records, reason },
        'The target of a sink refused a batch, which is in the dead letters',
      );
      return;
    }
    case 'warning':
      logger.warn({ job, operator: event.operator, ...errorFields(event.error) }, event.message);
      return;
    default:
  }
}

const placeNames = ['operator', 'source', 'object', 'offset', 'line'] as const;

function placeOf(place: FailurePlace): object {
  return Object.fromEntries(
    placeNames.flatMap((name) => (place[name] === undefined ? [] : [[name, place[name]]])),
  );
}
