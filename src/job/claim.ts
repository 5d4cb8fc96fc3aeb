import { catchError, concatMap, defer, throwError, type Observable } from 'rxjs';
import { accessError, claim, type Coordinator } from '../checkpoint/index.js';
import { MillraceError } from '../errors.js';
import { withoutEntropy } from '../path/index.js';
import type { Stores } from '../store/services.js';
import type { JobEvent } from './events.js';
import type { ResolvedOptions } from './options.js';

/** Claims the job's log below `checkpoints.dir`, once the store there is known to tell winners from losers. */
export function claimLog(
  config: ResolvedOptions,
  stores: Stores,
  emit: (event: JobEvent) => void,
): Observable<Coordinator> {
  return defer(() => {
    const { dir, fencing, ...settings } = config.checkpoints;
    const { store, reserved, key, capabilities } = stores.open(dir);
    const { key: marker, length } = config.config.transfer.entropy;
    const { plain, at, name = false } = withoutEntropy(key, marker);
    const base = plain.replace(/\/+$/, '');
    const prefix = `${base === '' ? '' : `${base}/`}${config.name}/`;
    return capabilities.pipe(
      catchError((error: unknown) => throwError(() => accessError(error, dir))),
      concatMap(({ conditionalPut }) => {
        if (!conditionalPut && fencing !== 'none') throw noFencing(dir);
        return claim({
          ...settings,
          ...config.environment,
          store,
          logStore: reserved,
          prefix,
          entropy: at === undefined ? undefined : { at, name, length },
          job: config.name,
          allowDropped: config.allowDropped,
          on: emit,
        });
      }),
    );
  });
}

const noFencing = (dir: string): MillraceError =>
  new MillraceError(
    'NoConditionalWrites',
    `The store of checkpoints.dir ${dir} does not honour If-None-Match on writes, so two processes could both own this job. Use a store that does, or say checkpoints.fencing: 'none' and make sure yourself that only one runs.`,
  );
