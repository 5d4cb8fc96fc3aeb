import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { s5cmdVersion } from '../baselines/s5cmd.js';
import { Child } from '../harness/childProcess.js';
import { judge, WrongResult, type Goal, type Report, type Row, type RunOptions } from '../harness/row.js';
import { median } from '../harness/stats.js';
import type { Params } from '../harness/workload.js';
import { smallName, smallOffset } from '../servers/objects.js';
import { longest, slice } from '../synthetic/content.js';
import { digestOfFiles } from '../synthetic/transferred.js';

const url = (path: string): string => new URL(path, import.meta.url).href;
const pool = url('../baselines/httpPool.js');
const ours = url('../variants/transfers.js');

interface Variant {
  readonly name: string;
  readonly module: string;
  readonly start: string;
  readonly params?: Params;
}

/** One kind of transfer: `pool` is the bare one that all are compared with. */
interface Kind {
  readonly name: string;
  /** What CPU seconds are counted for: a GiB, or 1,000 objects. */
  readonly per: 'GiB' | '1,000 objects';
  /** Where the result is: in the outcome, in files, or at the server. */
  readonly result: 'outcome' | 'files' | 'server';
  readonly variants: readonly Variant[];
}

const bare = (start: string): Variant => ({ name: 'pool', module: pool, start });
const own = (name: string, start: string): Variant => ({ name, module: ours, start });
const other = (from: string, to: string): Variant => ({
  name: 's5cmd',
  module: url('../baselines/s5cmd.js'),
  start: 's5cmd',
  params: { from, to },
});

const kinds: readonly Kind[] = [
  {
    name: 'read',
    per: 'GiB',
    result: 'outcome',
    variants: [bare('readBig'), own('files', 'filesBig'), own('readStream', 'readStream')],
  },
  {
    name: 'down',
    per: 'GiB',
    result: 'files',
    variants: [bare('downBig'), own('cp', 'copyBigDown'), other('s3://{bucket}/big', '{directory}/')],
  },
  {
    name: 'up',
    per: 'GiB',
    result: 'server',
    variants: [bare('upBig'), own('cp', 'copyBigUp'), other('{source}/big', 's3://{bucket}/up/')],
  },
  {
    name: 'smallRead',
    per: '1,000 objects',
    result: 'outcome',
    variants: [bare('readSmall'), own('files', 'filesSmall')],
  },
  {
    name: 'smallDown',
    per: '1,000 objects',
    result: 'files',
    variants: [bare('downSmall'), own('cp', 'copySmallDown'), other('s3://{bucket}/small/*', '{directory}/')],
  },
  {
    name: 'smallUp',
    per: '1,000 objects',
    result: 'server',
    variants: [bare('upSmall'), own('cp', 'copySmallUp'), other('{source}/small/', 's3://{bucket}/up/')],
  },
];

const atMost = (metric: string): Goal => ({ metric, goal: 1.6, is: 'at most' });

/** `MILLRACE_BENCH_CPU=down,smallDown` runs a part of the row; goals of the others are then left out. */
const wanted = process.env['MILLRACE_BENCH_CPU']?.split(',');

/**
 * CPU seconds, user and system, of a fresh process for each transfer; one server in another process for all. A process has
 * loaded its modules before.
 */
export const cpu: Row = {
  name: 'cpu',
  title: 'CPU seconds of transfers, per GiB and per 1,000 objects of 64 KiB, beside a bare node:http pool',
  async run(options) {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-cpu-'));
    try {
      return await measured(options, directory);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

async function measured(options: RunOptions, directory: string): Promise<Report> {
  const size = (options.quick ? 48 : 1024) << 20;
  const count = options.quick ? 50 : 2000;
  const object = { bucket: 'bench', size, count, smallSize: 64 << 10 };
  const source = join(directory, 'source');
  await fill(source, object);
  const server = await Child.start({ module: url('../servers/objects.js'), start: 'objects' }, object);
  const target = join(directory, 'target');
  const params = { ...object, ...server.info, window: 8, fragment: 8 << 20, directory: target, source };
  const version = s5cmdVersion();
  options.progress('');
  console.error(
    version === undefined ? 'cpu: s5cmd is not installed, and is left out.' : `cpu: with s5cmd ${version}`,
  );
  const metrics: Record<string, number> = {};
  try {
    for (const kind of kinds) {
      if (wanted?.includes(kind.name) === false) continue;
      const variants = kind.variants.filter(({ name }) => name !== 's5cmd' || version !== undefined);
      const amount = kind.per === 'GiB' ? size / 2 ** 30 : count / 1000;
      const seconds = await rounds({ ...kind, variants }, options, params, server);
      for (const { name } of variants) {
        const all = seconds.get(name) ?? [];
        metrics[`${kind.name}.${name}`] = median(all) / amount;
        const base = seconds.get('pool') ?? [];
        if (name !== 'pool')
          metrics[`${kind.name}.${name}:pool`] = median(all.map((each, i) => each / (base[i] ?? Number.NaN)));
      }
    }
  } finally {
    await server.close();
  }
  const goals = ['read.files', 'smallRead.files', 'down.cp', 'smallDown.cp'].map((name) => `${name}:pool`);
  return {
    name: 'cpu',
    metrics,
    goals: judge(goals.filter((goal) => goal in metrics).map(atMost), metrics),
  };
}

/** CPU seconds of each variant, round by round; who begins takes turns. */
async function rounds(
  { name, result, variants }: Kind,
  options: RunOptions,
  params: Params,
  server: Child,
): Promise<ReadonlyMap<string, number[]>> {
  const seconds = new Map<string, number[]>(variants.map((variant) => [variant.name, []]));
  const most = options.rounds ?? (options.quick ? 1 : 3);
  for (let n = 0; n < most; n++) {
    const digests = new Map<string, string>();
    for (let i = 0; i < variants.length; i++) {
      const variant = variants[(i + n) % variants.length]!;
      options.progress(`cpu: ${name}, round ${n + 1}, ${variant.name}`);
      const target = String(params['directory']);
      await rm(target, { recursive: true, force: true });
      await mkdir(target);
      await server.round();
      const { module, start } = variant;
      const child = await Child.start({ module, start }, { ...params, ...variant.params });
      const { cpuSeconds, result: outcome } = await child.round();
      await child.close();
      seconds.get(variant.name)!.push(outcome.extra?.['childSeconds'] ?? cpuSeconds);
      const received = (await server.round()).result.digest;
      const places = { outcome: outcome.digest, server: received, files: '' };
      digests.set(variant.name, result === 'files' ? await digestOfFiles(target) : places[result]);
    }
    const expected = digests.get('pool');
    for (const [who, digest] of digests)
      if (digest !== expected)
        throw new WrongResult(`cpu: ${name}: ${who} gives ${digest}, but pool ${String(expected)}`);
  }
  return seconds;
}

/** The files that are sent. */
async function fill(
  source: string,
  { size, count, smallSize }: { readonly size: number; readonly count: number; readonly smallSize: number },
): Promise<void> {
  await mkdir(join(source, 'small'), { recursive: true });
  const file = await open(join(source, 'big'), 'w');
  for (let at = 0; at < size; at += longest) await file.write(slice(at, Math.min(longest, size - at)));
  await file.close();
  for (let n = 0; n < count; n++)
    await writeFile(join(source, 'small', smallName(n)), slice(smallOffset(n), smallSize));
}
