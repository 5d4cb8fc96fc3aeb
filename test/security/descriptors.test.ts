/** A shell that allows few open files. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'millrace-few-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function limited(descriptors: number, ...argv: readonly string[]): ReturnType<typeof spawnSync> {
  const script = `ulimit -n ${descriptors} && exec "$@"`;
  return spawnSync('sh', ['-c', script, 'sh', process.execPath, program, ...argv], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 60_000,
  });
}

test('64 are enough to copy more files than that', () => {
  const names = Array.from({ length: 200 }, (_, i) => `${i}`).sort();
  for (const name of names) writeFileSync(join(directory, name), name);
  const { status, stderr } = limited(64, 'cp', '-r', `${directory}/`, `${directory}-copy/`);
  try {
    expect([status, stderr]).toEqual([0, expect.stringContaining('Copied 200 objects')]);
    expect(
      readdirSync(`${directory}-copy`)
        .filter((name) => name !== '.millrace')
        .sort(),
    ).toEqual(names);
  } finally {
    rmSync(`${directory}-copy`, { recursive: true, force: true });
  }
});

test('with too few to start, the program says what to raise, without a stack', () => {
  const advice =
    'millrace: Unavailable: Too many open files. Raise the limit of this shell (ulimit -n 1024), and run it again.\n';
  // How many that is depends on the Node: later ones need a few less, and with 20 do not start themselves.
  const outcomes = [28, 24, 22, 21].map((descriptors) => {
    const { status, stderr } = limited(descriptors, 'ls', directory);
    return [status, stderr];
  });
  for (const outcome of outcomes)
    expect([
      [0, ''],
      [1, advice],
    ]).toContainEqual(outcome);
  expect(outcomes.at(-1)).toEqual([1, advice]);
});
