import { catchError, concatMap, map, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { Located } from '../../store/relation.js';
import { CheckpointError } from '../errors.js';
import type { Manifest } from '../manifest.js';
import { readNewest, type LogPlace } from '../newest.js';
import { copySavepoint, type CopiedSavepoint, type CopyAround } from './copy.js';
import { savepointUri, type SavepointPlace } from './read.js';

/**
 * A savepoint of a job that does not run, made from outside: a copy of its last durable checkpoint.
 *
 *     reading → copying → made
 *         ↘________↘ failed; nothing of the job has changed
 *
 * 1. **Read** the newest entry of the log. *Crash:* nothing has changed.
 * 2. **Check** that it has nothing unpublished. A savepoint names no output, because only the job itself can publish it:
 *    what is `pending` is published once the job is started, and files that are `open` stay open over checkpoints and over
 *    a stop. With either, a job that starts from the copy would not have those records, and so the savepoint is
 *    refused. An entry without them says that everything before its checkpoint is published, because each entry repeats
 *    what is not confirmed.
 * 3. **Copy** what the entry refers to, and the root last, as in `making.ts`. *Crash:* an incomplete savepoint.
 *
 * Nothing is written to the log, no epoch is claimed and nothing is pinned, so a job that runs is neither fenced nor
 * held up. It makes the savepoint no less sound: the entry was durable, and its output published. But the job may
 * delete what later checkpoints do not need, before it is copied. Objects are never overwritten, so this is noticed:
 * the copy fails, the folder has no root, and if the log has a later entry by then, the error is `SavepointOvertaken`.
 */
export interface OutsideSavepoint extends CopyAround {
  readonly log: LogPlace;
  /** Where the job's data objects are. */
  readonly location: Located;
  /** The folder of the savepoint. */
  readonly target: SavepointPlace & Located;
}

export interface MadeOutside extends CopiedSavepoint {
  readonly manifest: Manifest;
}

/**
 * Emits once. Errors: `NoCheckpoint`, `SavepointUnpublished`, `SavepointOvertaken`, `ManifestTooLarge`, those of
 * `readManifest`, and of the stores.
 */
export function savepointFromOutside(options: OutsideSavepoint): Observable<MadeOutside> {
  const { log, location, target, ...around } = options;
  const { store, prefix, scope } = log;
  const where = `${store.uri}/${prefix}`;
  return readNewest(log).pipe(
    concatMap((manifest) => {
      if (manifest === undefined) throw noCheckpoint(`${where} has no job`);
      if (manifest.checkpoint === 0)
        throw noCheckpoint(`Job '${manifest.job}' has no durable checkpoint yet`);
      checkPublished(manifest);
      const place = { prefix, entropy: manifest.entropy };
      return copySavepoint({
        ...{ ...around, manifest, location, place, target, key: scope.sign?.keys[0] },
      }).pipe(
        map((copied) => ({ ...copied, manifest })),
        catchError((error: unknown) => explained(error, options, manifest)),
      );
    }),
  );
}

function checkPublished({ job, operators, pending }: Manifest): void {
  const unpublished = [...new Set(pending.map(({ sink }) => sink))];
  const open = Object.entries(operators).flatMap(([id, { open }]) => (open.length > 0 ? [id] : []));
  if (open.length > 0)
    throw unpublishedOutput(
      `has files of ${quoted(open)} that are still open. Start the job, and call job.savepoint(…, { stop: true }), which closes and publishes them.`,
      job,
    );
  if (unpublished.length > 0)
    throw unpublishedOutput(
      `has output of ${quoted(unpublished)} that is not published yet. Start the job once, which publishes it, or call job.savepoint(…) while it runs.`,
      job,
    );
}

/** The job has deleted an object of the checkpoint. */
function explained(
  error: unknown,
  { log, target }: OutsideSavepoint,
  { job, putId, checkpoint }: Manifest,
): Observable<never> {
  if (!isStoreError(error, 'NotFound', 'PreconditionFailed')) return throwError(() => error);
  return readNewest(log).pipe(
    map((newest) => {
      if (newest?.putId === putId) throw error;
      throw new CheckpointError(
        'SavepointOvertaken',
        `Checkpoint ${checkpoint} of job '${job}' could not be copied to ${savepointUri(target)}: the job runs, has made later checkpoints, and deleted what they do not need. Call job.savepoint(…) in its process, or stop it first. Remove the folder, which has no root.`,
        { cause: error },
      );
    }),
  );
}

function noCheckpoint(what: string): CheckpointError {
  return new CheckpointError(
    'NoCheckpoint',
    `${what}, so there is nothing to copy. Check the URI: it is that of a checkpoint directory, a slash and the name of a job.`,
  );
}

function unpublishedOutput(what: string, job: string): CheckpointError {
  return new CheckpointError('SavepointUnpublished', `The last checkpoint of job '${job}' ${what}`);
}

const quoted = (ids: readonly string[]): string => ids.map((id) => `'${id}'`).join(', ');
