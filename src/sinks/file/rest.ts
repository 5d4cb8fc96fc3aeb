import { concatMap, forkJoin, map, of, type Observable } from 'rxjs';
import { MillraceError } from '../../errors.js';
import type { RowSeal, Writer } from '../../formats/writer.js';
import { uriBelow } from '../../path/index.js';
import { readTail } from '../../store/multipart/index.js';
import type { CheckpointData } from '../../store/services.js';
import type { FileCommittable } from './committable.js';

/** The bytes after a file's parts, and the file with its size including them. */
export interface Rest {
  readonly file: FileCommittable;
  readonly bytes: Buffer;
}

/** Reads a file's tail, and seals the rows that its encoder held. */
export function restOf(
  file: FileCommittable,
  data: CheckpointData,
  format: Pick<Writer<never>, 'restore'>,
): Observable<Rest> {
  const { tail, seal } = file;
  const written = tail === undefined ? of(Buffer.alloc(0)) : readTail(tail, data);
  if (seal === undefined) return written.pipe(map((bytes) => ({ file, bytes })));
  return written.pipe(
    concatMap((bytes) =>
      forkJoin([readTail(seal.state, data), readTail(seal.rows, data)]).pipe(
        map(([state, rows]) => {
          const sealed = sealOf(file, format).seal(state, rows);
          return {
            file: { ...file, size: file.size + sealed.length },
            bytes: Buffer.concat([bytes, sealed]),
          };
        }),
      ),
    ),
  );
}

/** The `RowSeal` for the rows of a file. Errors: `FormatChanged`. */
export function sealOf(file: FileCommittable, { restore }: Pick<Writer<never>, 'restore'>): RowSeal {
  const name = file.seal?.name ?? '';
  if (typeof restore !== 'string' && restore.name === name) return restore;
  throw new MillraceError(
    'FormatChanged',
    `${uriBelow(file.store, file.key)}: the checkpoint holds rows of this file in the form '${name}', which the format of its sink does not read. Start the job with the former format and stop it: that publishes the file.`,
  );
}
