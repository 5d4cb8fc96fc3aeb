import type { StoredSavepoint } from '../../checkpoint/index.js';
import { printable, readable } from './text.js';
import { counted, date, iso, size } from './units.js';

/** Savepoints as results of `savepoint ls`. `uri`: of the folder, with a slash at its end. */
export function savepointRecord(uri: string, savepoint: StoredSavepoint): object {
  const { complete, job, checkpoint, at = 0, objects, bytes, error } = savepoint;
  return {
    ...{ uri, complete, job, checkpoint, at: iso(at), objects, bytes },
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  };
}

/** `2026-01-31 12:00  checkpoint 12 of job clicks, 3 objects, 1.2 MiB  savepoint-clicks-…/`. */
export function savepointLine(uri: string, savepoint: StoredSavepoint): string {
  const name = printable(readable(/[^/]+\/$/.exec(uri)?.[0] ?? uri));
  return `${date(savepoint.at ?? 0).padEnd(16)}  ${whatOf(savepoint)}  ${name}`;
}

function whatOf({ complete, job, checkpoint, objects = 0, bytes = 0, error }: StoredSavepoint): string {
  if (error !== undefined) return error.code;
  const amount = `${counted(objects, 'object')}, ${size(bytes)}`;
  return complete ? `checkpoint ${checkpoint ?? 0} of job ${job ?? ''}, ${amount}` : `incomplete, ${amount}`;
}
