import type { Logger } from '../config/logger.js';
import { MillraceError } from '../errors.js';
import type { JobEvent } from './events.js';

/** Tells a logger of the turns in a job's life. What happens all the time (checkpoints, commits) is for `events$`. */
export function logEvent(logger: Logger, event: JobEvent): void {
  const { type, job } = event;
  if (type === 'restarting')
    logger.warn({ job, delay: event['delayMs'], ...causeOf(event) }, 'The job failed and starts again');
  else if (type === 'failed') logger.error({ job, ...causeOf(event) }, 'The job failed');
  else if (type === 'running')
    logger.info({ job, epoch: event['epoch'], checkpoint: event['checkpoint'] }, 'The job runs');
  else if (type === 'finished' || type === 'stopped') logger.info({ job }, `The job has ${type}`);
}

/** The code, and the message of our own errors, which hold no secrets; what a user's callback threw may hold anything. */
function causeOf(event: JobEvent): object {
  const error = 'error' in event ? event.error : undefined;
  return error instanceof MillraceError ? { code: error.code, error: error.message } : { code: 'UNKNOWN' };
}
