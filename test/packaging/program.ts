/** A user's program: it sums numbers per key, from files to files below the URI in its environment's `LAKE`. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Ended, type Project } from './project.js';

export const names = 'createJob, fileSink, files, keyed, ndjson, records, valueState';

export const pipeline = `
const lake = process.env.LAKE;
const job = createJob({ name: 'sums', checkpoints: { dir: lake + '/checkpoints' } });
const sums = job.source('raw', files(lake + '/raw/', { format: ndjson() })).pipe(
  records(filter((v) => v.n > 1)),
  keyed('per-key', {
    key: (v) => v.key,
    state: { sum: valueState(0) },
    onRecord: (v, { sum }) => [{ key: v.key, sum: sum.update((s) => s + v.n) }],
  }),
  fileSink('out', lake + '/out', { format: ndjson() }),
);
job.run(sums).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
`;

export const program = `
import { filter } from 'rxjs';
import { ${names} } from 'millrace';
${pipeline}`;

export const input = [1, 2, 3, 4].map((n) => `${JSON.stringify({ key: n % 2, n })}\n`).join('');

/** The output of the program for {@link input}. */
export const output = [
  { key: 0, sum: 2 },
  { key: 1, sum: 3 },
  { key: 0, sum: 6 },
];

export const parsed = (text: string): unknown =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));

export interface Result extends Ended {
  readonly output: unknown;
}

/** Runs a form of the program on a directory of the project. */
export async function sums(
  project: Project,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<Result> {
  const lake = `lake-${args.join('-').replace(/\W+/g, '-')}`;
  await project.write({ [`${lake}/raw/numbers.ndjson`]: input });
  const ended = await project.node(args, { LAKE: pathToFileURL(project.path(lake)).href, ...env });
  const out = project.path(join(lake, 'out'));
  const written = await readdir(out).catch(() => []);
  const texts = written
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => readFile(join(out, name), 'utf8'));
  return { ...ended, output: parsed((await Promise.all(texts)).join('')) };
}

/** The result of {@link sums} on success: nothing is printed, no warning either. */
export const well = { code: 0, out: '', err: '', output };
