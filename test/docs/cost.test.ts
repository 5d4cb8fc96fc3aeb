import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createJob, fileSink, files, silentLogger, text } from 'millrace';
import { counting, createMemoryStore, createStores } from 'millrace/stores';
import { SimulatedClock } from 'millrace/testing';
import { checkpointCost, type CheckpointCost } from '../../bench/variants/checkpointCost.js';

const page = join(import.meta.dirname, '../../docs/cost.md');

/** Dollars, in S3 Standard in us-east-1. */
const price = { thousandPuts: 0.005, gigabyteMonth: 0.023 };

/** Of 30 days. */
const month = 30 * 24 * 3600;

const cases = [
  [100, 10],
  [1000, 100],
  [1000, 1000],
  [10_000, 1000],
] as const;

const count = (amount: number): string => amount.toLocaleString('en-US');
const kilobytes = (bytes: number): string => `${count(Math.round(bytes / 1000))} kB`;
/** Deletes are free. */
const paid = ({ byKind, requests }: CheckpointCost): number => requests - (byKind['delete manifest'] ?? 0);
const dollars = (requests: number, seconds: number): string =>
  `$${((((requests * month) / seconds) * price.thousandPuts) / 1000).toFixed(2)}`;

function table(): string {
  const rows = cases.map(([keys, open]) => {
    const cost = checkpointCost(keys, open);
    const stored = cost.segmentBytes + cost.journalBytes + cost.manifestBytes;
    const cells = [
      count(keys),
      count(open),
      `${cost.requests}, ${paid(cost)} paid`,
      ...[cost.segmentBytes, cost.journalBytes, cost.manifestBytes, stored].map(kilobytes),
      dollars(paid(cost), 10),
      dollars(paid(cost), 60),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| changed keys | open files | requests | state | tails | manifest | bytes | every 10 s | every minute |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

test('docs/cost.md has the requests and bytes of checkpoints, as counted (MILLRACE_WRITE_DOCS=1 writes it)', () => {
  const current = readFileSync(page, 'utf8');
  const should = current.replace(
    /(<!-- generated: cost -->\n)[^]*?(<!-- end -->)/,
    (_, from: string, to: string) => `${from}\n${table()}\n\n${to}`,
  );
  if (process.env['MILLRACE_WRITE_DOCS'] === '1') writeFileSync(page, should);
  else expect(current).toBe(should);
});

test('the sums of the comparison are those of its requests', () => {
  const text = readFileSync(page, 'utf8');
  const open = 1000;
  for (const [requests, seconds] of [
    [4, 10],
    [open + 2, 10],
    [3 * open, 10],
    [3 * open, 3600],
  ] as const)
    expect(text).toContain(`${count((requests * month) / seconds)} requests, ${dollars(requests, seconds)}`);
});

test('a file takes three requests, and one more for each further part', () => {
  const clock = new SimulatedClock();
  const { store, counts } = counting(createMemoryStore({ uri: 'memory://lake' }));
  const MiB = 2 ** 20;
  store.put('in/small', Buffer.from('a\n')).subscribe();
  store.put('in/large', Buffer.from(`${'x'.repeat(1023)}\n`.repeat(12 * 1024))).subscribe();
  const job = createJob({
    name: 'copy',
    checkpoints: { dir: 'memory://other/checkpoints' },
    stores: createStores({
      schemes: {
        memory: (name) => (name === 'lake' ? store : createMemoryStore({ uri: `memory://${name}` })),
      },
      clock,
    }),
    clock,
    logger: silentLogger,
  });
  let finished = false;
  job.events$.subscribe(({ type }) => (finished ||= type === 'finished'));
  const lines = job.source('in', files('memory://lake/in/', { format: text() }));
  void job.run(
    lines.pipe(
      fileSink('out', 'memory://lake/out', {
        format: text(),
        partSize: 5 * MiB,
        partitionBy: (line: string) => (line.length > 1 ? 'large' : 'small'),
      }),
    ),
  );
  clock.run(() => finished);
  const { createUpload, uploadPart, completeUpload } = counts().requests;
  expect({ createUpload, uploadPart, completeUpload }).toEqual({
    createUpload: 2,
    uploadPart: 1 + 3,
    completeUpload: 2,
  });
});
