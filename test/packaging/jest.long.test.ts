/** The page's Jest recipes, run by Jest itself. */
import { fromPage, page, Project, run } from './project.js';

let project: Project;
beforeAll(async () => {
  project = await Project.create(['jest', 'ts-jest', 'typescript', '@jest/globals', '@types/node']);
  await project.write({
    'esm/package.json': JSON.stringify({ type: 'module' }),
    'esm/jest.config.js': fromPage('jest.config.js'),
    'esm/tsconfig.json': fromPage('tsconfig.json'),
    'esm/pipeline.test.ts': tests.replace('@@', `'./pipeline.js'`),
    'esm/pipeline.ts': pipeline,
    'cjs/package.json': '{}',
    'cjs/jest.config.cjs': fromPage('jest.config.cjs'),
    'cjs/pipeline.test.ts': tests.replace('@@', `'./pipeline'`),
    'cjs/pipeline.ts': pipeline,
  });
});
afterAll(() => project.remove());

const pipeline = `
import { records, type Flow, type Signal } from 'millrace';
import { map, type Observable } from 'rxjs';

export const doubled = (flow: Flow<number>): Observable<number | Signal> => flow.pipe(records(map((n) => 2 * n)));
`;

const tests = `
import { expect, test } from '@jest/globals';
import { createJob, fileSink, files, MillraceError, ndjson } from 'millrace';
import { createStores, listAll } from 'millrace/stores';
import { lastValueFrom } from 'rxjs';
import { doubled } from @@;

test('a pipeline', async () => {
  const stores = createStores();
  const { store } = stores.open('memory://lake');
  await lastValueFrom(store.put('in/a.ndjson', Buffer.from('1\\n2\\n')));
  const job = createJob({ name: 'doubled', checkpoints: { dir: 'memory://lake/checkpoints' }, stores });
  const source = job.source('in', files('memory://lake/in/', { format: ndjson<number>() }));
  await job.run(doubled(source).pipe(fileSink('out', 'memory://lake/out', { format: ndjson<number>() })));
  const [file] = await lastValueFrom(listAll(store, 'out/'));
  const { chunks } = await lastValueFrom(store.get(file?.key ?? ''));
  expect(Buffer.concat(chunks).toString()).toBe('2\\n4\\n');
});

test('an error', () => {
  expect(() => createJob({ name: '', checkpoints: { dir: 'memory://lake' } })).toThrow(MillraceError);
});
`;

const jest = async (dir: string, ...flags: readonly string[]): Promise<unknown> => {
  const program = project.path('node_modules/jest/bin/jest.js');
  const args = [...flags, program, '--json', '--cacheDirectory', project.path('cache')];
  const { out, err } = await run(project.path(dir), process.execPath, args);
  if (out === '') throw new Error(err);
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(out) as {
    readonly numPassedTests: number;
    readonly numFailedTests: number;
    readonly testResults: readonly { readonly message: string }[];
  };
  return { numPassedTests, numFailedTests, messages: testResults.map(({ message }) => message).join('') };
};
const passed = { numPassedTests: 2, numFailedTests: 0, messages: '' };

test('ES modules, with the flag', async () => {
  expect(page).toContain('node --experimental-vm-modules node_modules/jest/bin/jest.js');
  expect(await jest('esm', '--experimental-vm-modules')).toEqual(passed);
});

test('CommonJS, transformed, without a flag', async () => {
  expect(await jest('cjs')).toEqual(passed);
});
