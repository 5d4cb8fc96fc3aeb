import { valueGraph } from './entries/graph.js';
import { filesOf, hasCode, matches, reached, testsOf } from './mirror.js';
import { wholes } from './wholes.js';

const tests = filesOf('test', '.test.ts');
const untested = filesOf('src', '.ts').filter(
  (path) => hasCode(`src/${path}`) && testsOf(path, tests).length === 0,
);
const wholeOf = (path: string) => wholes.find(({ files }) => matches(files, path));

test('a file has a test of its name, or belongs to a whole that has one', () => {
  expect(untested.filter((path) => wholeOf(path) === undefined)).toEqual([]);
});

const graph = valueGraph('src', 'test');

test.each(wholes)('$by is needed for $files, and uses all of it', (whole) => {
  const files = untested.filter((path) => wholeOf(path) === whole);
  expect(tests).toContain(whole.by);
  expect(files).not.toEqual([]);
  if (whole.by === 'cli/processes.test.ts') return; // it starts what was built
  const used = reached(graph, `test/${whole.by}`);
  expect(files.filter((path) => !used.has(`src/${path}`))).toEqual([]);
});

test('tests are found by name, and by that of a folder', () => {
  const found = (path: string) =>
    testsOf(path, ['a.test.ts', 'a/b.test.ts', 'a/b.faults.test.ts', 'a/bc.test.ts']);
  expect(found('a/b.ts')).toEqual(['a/b.test.ts', 'a/b.faults.test.ts']);
  expect(found('a/index.ts')).toEqual(['a.test.ts']);
  expect(found('a/a.ts')).toEqual(['a.test.ts']);
  expect(found('b.ts')).toEqual([]);
});

test('patterns match within a folder, and at any depth only with **', () => {
  expect(matches('a/{b,c}.ts', 'a/c.ts')).toBe(true);
  expect(matches('a/{,x/}*.ts', 'a/x/y.ts')).toBe(true);
  expect(matches('a/*.ts', 'a/x/y.ts')).toBe(false);
  expect(matches('{,**/}errors.ts', 'errors.ts')).toBe(true);
  expect(matches('{,**/}errors.ts', 'a/b/errors.ts')).toBe(true);
  expect(matches('{,**/}errors.ts', 'a/stsErrors.ts')).toBe(false);
});
