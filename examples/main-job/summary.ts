/** The demo's summary for people. */
import { kindNames, kinds } from './aim.js';
import type { Result } from './demonstrate.js';

export function summary(result: Result): string {
  const { line, tally, seen, report, watch } = result;
  const n = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 });
  const row = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(26) : cell.padStart(22))).join('');
  const lines = [
    '',
    row(['killed at', 'before it took effect', 'after, answer lost', 'requests in all']),
    ...kinds.map((kind) => {
      const { before, after } = tally[kind];
      return row([kindNames[kind], n(before), n(after), n(seen[kind])]);
    }),
    '',
    `${n(line.events)} events in ${n(result.jobSeconds)} s with ${n(line.kills)} kills and ${n(line.checkpoints)} checkpoints (${line.store})`,
    `${n(report.records)} counts of ${n(report.clicks)} clicks in ${n(report.objects)} objects: ` +
      `${n(line.lost)} lost, ${n(line.duplicated)} duplicated`,
    `${n(watch.rounds)} listings and ${n(watch.reads)} full reads meanwhile: ${n(line.partial)} partial objects`,
    `${n(result.leftovers.length)} uploads and objects left over`,
    ...result.leftovers.slice(0, 10),
    ...(seen.journal > 0
      ? []
      : ['No journals: files roll at every checkpoint on this server, or their tails are small.']),
    ...report.findings,
    ...watch.findings,
    result.exact ? 'Exact.' : 'Something is off.',
  ];
  return lines.join('\n');
}
