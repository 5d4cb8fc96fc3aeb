/** What each use loads: V8 names every module whose code has run, whichever way it was loaded. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { input, program } from './program.js';
import { manifest, Project } from './project.js';

let project: Project;
beforeAll(async () => {
  project = await Project.create();
  await project.write({ 'lake/raw/numbers.ndjson': input, 'job.mjs': program });
});
afterAll(() => project.remove());

const LAKE = (): string => pathToFileURL(project.path('lake')).href;

interface Loaded {
  /** Those that millrace depends on. */
  readonly dependencies: readonly string[];
  /** Those of the AWS SDK. */
  readonly sdk: readonly string[];
}

/** Runs a program to its end, and tells which packages it has loaded. */
async function loadedBy(...args: readonly string[]): Promise<Loaded> {
  const coverage = project.path('coverage');
  await rm(coverage, { recursive: true, force: true });
  const { code, err } = await project.node(args, {
    NODE_V8_COVERAGE: coverage,
    LAKE: LAKE(),
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  });
  expect([code, err]).toEqual([0, '']);
  const packages = new Set<string>();
  for (const name of await readdir(coverage)) {
    const { result } = JSON.parse(await readFile(join(coverage, name), 'utf8')) as {
      readonly result: readonly { readonly url: string }[];
    };
    for (const { url } of result) {
      const [, found] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
      if (found !== undefined) packages.add(found);
    }
  }
  const known = [...Object.keys(manifest.dependencies), 'rxjs'];
  return {
    dependencies: known.filter((name) => packages.has(name)).sort(),
    sdk: [...packages].filter((name) => /^@(aws-sdk|smithy)\//.test(name)).sort(),
  };
}

const script = (text: string): readonly string[] => ['--input-type=module', '-e', text];
const command = (...args: readonly string[]): readonly string[] => [
  join('node_modules/millrace', manifest.bin['millrace'] ?? ''),
  ...args,
];
/** What configuration and state bring along. */
const always = ['fastest-levenshtein', 'msgpackr', 'rxjs', 'snappyjs', 'yaml'];
/** All of it, with `csv()`. */
const ofJobs = [...always, 'papaparse'].sort();

test('the AWS SDK is loaded by the first request to S3', async () => {
  const { sdk } = await loadedBy(
    ...script(`
      import { openStores } from 'millrace/stores';
      const s3 = { endpoint: 'http://127.0.0.1:1', credentials: 'ANONYMOUS', proxy: 'none', retry: { maxRetries: 0 } };
      openStores({ s3 }).open('s3://lake').store.head('a').subscribe({ error: () => undefined });`),
  );
  expect(sdk).toContain('@aws-sdk/client-s3');
});

test.each([
  ['millrace', ofJobs],
  ['millrace/operators', always],
])('an import of %s loads no SDK, and nothing of the command', async (entry, dependencies) => {
  expect(await loadedBy(...script(`import '${entry}'`))).toEqual({ dependencies, sdk: [] });
});

test('an import of the other entries loads no SDK', async () => {
  const others = ['stores', 'operations', 'fs', 'testing'].map((entry) => `import 'millrace/${entry}';`);
  expect(await loadedBy(...script(others.join('\n')))).toMatchObject({ sdk: [] });
});

test('stores of S3 that are opened and asked nothing load no SDK', async () => {
  const text = `
    import { openStores } from 'millrace/stores';
    openStores({ s3: { region: 'eu-central-1' } }).open('s3://lake/a');`;
  expect(await loadedBy(...script(text))).toMatchObject({ sdk: [] });
});

test('a job on files loads no SDK', async () => {
  expect(await loadedBy('job.mjs')).toEqual({ dependencies: ofJobs, sdk: [] });
});

test.each(['--version', '--help'])('millrace %s loads what parses arguments', async (flag) => {
  expect(await loadedBy(...command(flag))).toEqual({ dependencies: ['commander', 'rxjs'], sdk: [] });
});

test('millrace ls of a directory loads no SDK', async () => {
  expect(await loadedBy(...command('ls', 'lake/'))).toMatchObject({ sdk: [] });
});
