import type { JobEvent } from 'millrace';

/** A line for people: `12 of at least 40 objects, 35 %`. */
export function progressLine(event: JobEvent): string | undefined {
  if (event.type !== 'progress') return undefined;
  const { listed, read, complete, lag } = event;
  const least = complete ? '' : 'at least ';
  const share = listed.bytes === 0 ? 100 : Math.floor((100 * read.bytes) / listed.bytes);
  const late = lag?.oldestMs === undefined ? '' : `, ${Math.round(lag.oldestMs / 1000)} s late`;
  return `${read.objects} of ${least}${listed.objects} objects, ${share} %${late}`;
}
