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

test.each(['alike', 'real'])('every test that .ci/%s names exists and is named once', (file) => {
  const named = namedIn(file);
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !tests.includes(name))).toEqual([]);
  expect(new Set(named).size).toBe(named.length);
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
