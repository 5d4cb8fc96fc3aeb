/** The package under the settings of TypeScript that the page names, as a user's compiler sees it. */
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromPage, manifest, Project, root } from './project.js';

let project: Project;
let said: readonly (readonly string[])[];

const esm = `
import { createJob, fileSink, files, keyed, ndjson, records, valueState } from 'millrace';
import { bulk } from './helpers.js';
import { filter, map } from 'rxjs';

const job = createJob({ name: 'clicks', checkpoints: { dir: 'memory://lake/checkpoints' } });
const clicks = job.source('raw', files('memory://lake/raw/', { format: ndjson<{ user: string; kind: string }>() })).pipe(
  records(filter((v) => v.kind === 'click'), map((v) => v.user)),
  keyed('per-user', {
    key: (user) => user,
    state: { clicks: valueState(0) },
    onRecord: (user, { clicks }) => [{ user, clicks: clicks.update((n) => n + 1) }],
  }),
  fileSink('out', 'memory://lake/out', { format: ndjson(), partitionBy: (v) => v.user.toUpperCase() }),
);
export const run = (): Promise<unknown> => job.run(clicks);
export { bulk };
`;
const helpers = `
import { readFile } from 'millrace/fs';
import { createOperations } from 'millrace/operations';
export const bulk = createOperations();
export const text: Promise<string> = readFile('memory://lake/a', 'utf8');
`;
const wrong = `
import { files, keyed, ndjson, valueState, type Job } from 'millrace';
declare const job: Job;
job.source('raw', files('memory://lake/raw/', { format: ndjson<{ user: string }>() })).pipe(
  keyed('k', { key: (v) => v.user, state: { n: valueState(0) }, onRecord: (v, { n }) => [n.update(() => v.user)] }),
);
`;

interface Case {
  readonly names: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** On top of the settings of the page. */
const esmSettings: readonly Readonly<Record<string, unknown>>[] = [
  { module: 'node16' },
  { module: 'node18' },
  { module: 'node20' },
  { module: 'esnext', moduleResolution: 'bundler' },
  { module: 'preserve', moduleResolution: 'bundler' },
  { target: 'es2020', lib: ['es2020'] },
  { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
];

const cases = {
  checked: { names: ['job.ts'], settings: { skipLibCheck: false } },
  examples: { names: ['all.ts', 'readme0.ts', 'examples/clicks.ts'] },
  wrong: { names: ['wrong.ts'] },
  node10: {
    names: ['helpers.ts'],
    settings: { module: 'esnext', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
  },
  required: { names: ['commonjs/job.ts'] },
  requiredNode20: { names: ['commonjs/job.ts'], settings: { module: 'node20' } },
  refused: { names: ['commonjs/helpers.ts'], settings: { module: 'node16' } },
  refusedNode18: { names: ['commonjs/helpers.ts'], settings: { module: 'node18' } },
  later: { names: ['commonjs/later.ts'], settings: { module: 'node16' } },
  ...Object.fromEntries(
    esmSettings.map((settings) => [JSON.stringify(settings), { names: ['job.ts'], settings }]),
  ),
} satisfies Readonly<Record<string, Case>>;

const problems = (name: string): readonly string[] | undefined => said[Object.keys(cases).indexOf(name)];

beforeAll(async () => {
  // With the peers that are optional, for all entries.
  project = await Project.create([
    '@types/node',
    '@opentelemetry/api',
    'avsc',
    'fast-check',
    'hyparquet',
    'hyparquet-writer',
  ]);
  await cp(join(root, 'examples'), project.path('examples'), { recursive: true });
  const readme = await readFile(project.path('node_modules/millrace/README.md'), 'utf8');
  const shown = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code ?? '');
  expect(shown.length).toBeGreaterThan(0);
  await project.write({
    'package.json': JSON.stringify({ type: 'module' }),
    'cases.json': JSON.stringify(Object.values(cases)),
    'tsconfig.json': fromPage('tsconfig.json'),
    'job.ts': esm,
    'helpers.ts': helpers,
    'wrong.ts': wrong,
    'all.ts': Object.keys(manifest.exports)
      .filter((name) => !name.endsWith('.json'))
      .map((name, i) => `export * as m${i} from 'millrace${name.slice(1)}';`)
      .join('\n'),
    ...Object.fromEntries(shown.map((code, i) => [`readme${i}.ts`, code])),
    'commonjs/package.json': '{}',
    'commonjs/job.ts': esm.replace('./helpers.js', './helpers'),
    'commonjs/helpers.ts': helpers,
    'commonjs/later.ts': `
      import type { Job } from 'millrace' with { 'resolution-mode': 'import' };
      export async function job(): Promise<Job> {
        const { createJob } = await import('millrace');
        return createJob({ name: 'later', checkpoints: { dir: 'memory://lake/checkpoints' } });
      }`,
  });
  const { out, err } = await project.node([join(root, 'test/packaging/compile.mjs')]);
  if (out === '') throw new Error(err);
  said = JSON.parse(out) as readonly (readonly string[])[];
});
afterAll(() => project.remove());

test('the settings of the page, with every declaration checked', () => {
  expect(problems('checked')).toEqual([]);
});

test('every entry, an example, and what the README shows', () => {
  expect(problems('examples')).toEqual([]);
});

test.each(esmSettings)('an ES module under %j', (settings) => {
  expect(problems(JSON.stringify(settings))).toEqual([]);
});

test('types are inferred through a pipeline: a wrong one is found', () => {
  expect(problems('wrong')).toEqual([expect.stringMatching(/^TS2322 .*string.*number/)]);
});

test('moduleResolution node10 does not find the package', () => {
  expect(problems('node10')).toContainEqual(expect.stringMatching(/^TS2307 .*millrace/));
});

describe('in a CommonJS package', () => {
  test.each(['required', 'requiredNode20'])('an import becomes a require: %s', (name) => {
    expect(problems(name)).toEqual([]);
  });

  test.each(['refused', 'refusedNode18'])('older module settings refuse the import: %s', (name) => {
    expect(problems(name)).toEqual([expect.stringMatching(/^TS1479/), expect.stringMatching(/^TS1479/)]);
  });

  test('import(), and types by resolution-mode, work everywhere', () => {
    expect(problems('later')).toEqual([]);
  });
});
