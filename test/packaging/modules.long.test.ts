/** How the package is loaded, and what happens if there are two of it. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { names, pipeline, program, sums, well } from './program.js';
import { fromPage, manifest, Project, root } from './project.js';

let project: Project;
beforeAll(async () => {
  project = await Project.create();
});
afterAll(() => project.remove());

/** Those that need no optional peer. */
const entries = Object.keys(manifest.exports)
  .filter((name) => !['./opentelemetry', './avro', './parquet'].includes(name))
  .map((name) => join('millrace', name));

/** Prints as JSON what `expression` makes of the modules, loaded in one way or the other. */
const printed = async (file: string, text: string, args: readonly string[] = []): Promise<unknown> => {
  await project.write({ [file]: text });
  const { code, out, err } = await project.node([...args, file]);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out);
};

describe('ES modules', () => {
  test('import a job', async () => {
    await project.write({ 'job.mjs': program });
    expect(await sums(project, ['job.mjs'])).toEqual(well);
  });

  test('without native add-ons or code from strings', async () => {
    await project.write({ 'job.mjs': program });
    const args = ['--no-addons', '--disallow-code-generation-from-strings', 'job.mjs'];
    expect(await sums(project, args)).toEqual(well);
  });
});

describe('CommonJS', () => {
  test('requires a job', async () => {
    const required = `const { filter } = require('rxjs');\nconst { ${names} } = require('millrace');\n${pipeline}`;
    await project.write({ 'job.cjs': required });
    expect(await sums(project, ['job.cjs'])).toEqual(well);
  });

  test('requires every entry, the same modules that are imported', async () => {
    const text = `
      const same = ${JSON.stringify(entries)}.map(async (name) => {
        const required = require(name);
        const imported = await import(name, name.endsWith('.json') ? { with: { type: 'json' } } : {});
        const some = Object.keys(required)[0];
        return [name, name.endsWith('.json') ? required.name === 'millrace' : required[some] === imported[some]];
      });
      Promise.all(same).then((all) => console.log(JSON.stringify(all)));`;
    // Node 20 itself warns about JSON modules.
    expect(await printed('entries.cjs', text, ['--no-warnings'])).toEqual(
      entries.map((name) => [name, true]),
    );
    expect(entries).toHaveLength(8);
  });

  test('as shown on the page', async () => {
    const text = `${fromPage('job.cjs')}console.log(JSON.stringify(typeof createJob));`;
    expect(await printed('page.cjs', text)).toBe('function');
  });

  test('imports a job where it cannot require', async () => {
    const later = `import('rxjs').then(async ({ filter }) => {\nconst { ${names} } = await import('millrace');\n${pipeline}});`;
    await project.write({ 'later.cjs': later });
    expect(await sums(project, ['--no-experimental-require-module', 'later.cjs'])).toEqual(well);
  });
});

test('an entry whose peer is not installed names the peer', async () => {
  await project.write({ 'otel.mjs': `import 'millrace/opentelemetry';` });
  const { code, err } = await project.node(['otel.mjs']);
  expect(code).toBe(1);
  expect(err).toContain(`Cannot find package '@opentelemetry/api'`);
});

test('the command runs', async () => {
  const bin = join('node_modules/millrace', manifest.bin['millrace'] ?? '');
  expect(await project.node([bin, '--version'])).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' });
});

test('node:test needs no settings', async () => {
  await project.write({
    'a.test.mjs': `
      import assert from 'node:assert/strict';
      import test from 'node:test';
      import { createJob } from 'millrace';
      test('a name', () => assert.throws(() => createJob({ name: '', checkpoints: { dir: 'memory://a/b' } }), { code: 'InvalidOption' }));`,
  });
  const { code, out } = await project.node(['--test', '--test-reporter=tap', 'a.test.mjs']);
  expect([code, /^# pass (\d+)$/m.exec(out)?.[1]]).toEqual([0, '1']);
});

describe('two copies in one process', () => {
  const library = 'node_modules/library';
  const own = async (...packages: readonly string[]): Promise<void> => {
    await project.write({
      [`${library}/package.json`]: JSON.stringify({ name: 'library', type: 'module', exports: './index.js' }),
      [`${library}/index.js`]: packages.includes('millrace')
        ? `export * from 'millrace';`
        : `export * from 'rxjs';`,
    });
    for (const name of packages) {
      const from =
        name === 'millrace' ? project.path('node_modules/millrace') : join(root, 'node_modules', name);
      await cp(from, project.path(join(library, 'node_modules', name)), {
        recursive: true,
        // Only what Node loads.
        filter: (path) => !/\.map$|\.d\.ts$|\/(src|docs|bundles|esm5?|types)$/.test(path),
      });
    }
  };
  afterEach(() => rm(project.path(library), { recursive: true }));

  test('of RxJS work', async () => {
    await own('rxjs', 'tslib');
    const text = program.replace(`from 'rxjs'`, `from 'library'`);
    const different = `import { filter as another } from 'rxjs';\nif (another === filter) throw new Error('It is one copy.');`;
    await project.write({ 'job.mjs': text + different });
    expect(await sums(project, ['job.mjs'])).toEqual(well);
  });

  test('of millrace work: a source, operators and a sink of the other', async () => {
    await own('millrace');
    const text = program.replace(
      `import { ${names} } from 'millrace';`,
      `import { createJob, MillraceError } from 'millrace';
       import { MillraceError as Another, ${names.replace('createJob, ', '')} } from 'library';
       if (MillraceError === Another) throw new Error('It is one copy.');
       if (!(new Another('Code', 'text') instanceof MillraceError)) throw new Error('Errors are not known across copies.');`,
    );
    await project.write({ 'job.mjs': text });
    expect(await sums(project, ['job.mjs'])).toEqual(well);
  });
});
