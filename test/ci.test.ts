import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './entries/entries.js';
import { valueGraph } from './entries/graph.js';
import { filesOf, reached } from './mirror.js';

/** The tests that a file of `.ci` names, one a line. */
const namedIn = (file: string): readonly string[] =>
  readFileSync(join(root, '.ci', file), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

const tests = filesOf('test', '.test.ts');

test.each(['alike', 'long', 'real'])('every test that .ci/%s names exists and is named once', (file) => {
  const named = namedIn(file);
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((name) => !tests.includes(name))).toEqual([]);
  expect(new Set(named).size).toBe(named.length);
});

test('of long tests, the one list has all that run on every Node, and the other none', () => {
  const isLong = (test: string): boolean => test.endsWith('.long.test.ts');
  expect(namedIn('long').filter((test) => !isLong(test))).toEqual([]);
  expect(namedIn('alike').filter(isLong)).toEqual([]);
});

test('.ci/run runs long tests, and more of the others, on one Node and the real server', () => {
  const run = readFileSync(join(root, '.ci/run'), 'utf8');
  const suites = [...run.matchAll(/^(export MILLRACE_TEST_LONG=1)$|^ *suite .*$/gm)].map(
    ([line]) => /MILLRACE_TEST_LONG=\d/.exec(line)?.[0],
  );
  expect(suites).toEqual(['MILLRACE_TEST_LONG=1', undefined, 'MILLRACE_TEST_LONG=0', undefined]);
});

test('.ci/real names exactly the tests that use the real server', () => {
  const graph = valueGraph('src', 'test');
  const asks = (path: string): boolean =>
    path.startsWith('test/') &&
    /process\.env\[['`]MILLRACE_TEST_S3_/.test(readFileSync(join(root, path), 'utf8'));
  // It empties the buckets of those that have asked.
  const silent = 'test/store/realBucket.ts';
  const asking = tests.filter((test) =>
    [...reached(graph, `test/${test}`)].some((path) => path !== silent && asks(path)),
  );
  expect([...namedIn('real')].sort()).toEqual(asking);
});
