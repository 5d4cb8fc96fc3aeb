import type { SourceOutput } from './source.js';

/** Bytes of input that a poll passes on, so that barriers and I/O get their turn. */
const slice = 64 * 1024;

/** Whether a poll should end that has passed on `bytes` bytes: at least one record, at most a slice or what takes a turn. */
export const endsPoll = (bytes: number, out: Pick<SourceOutput<unknown>, 'turnOver'>): boolean =>
  bytes >= slice || (bytes > 0 && out.turnOver);
