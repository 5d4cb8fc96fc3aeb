import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Compiled: `npm test` builds first. */
const program = fileURLToPath(new URL('../../build/examples/bounded.js', import.meta.url));

test('the example moves what it keeps of a file into another', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-bounded-test-'));
  try {
    const visits = Array.from({ length: 10_000 }, (_, n) => ({
      user: `user-${n}`,
      kind: n % 3 === 0 ? 'click' : 'view',
      at: '2026-03-03T10:00:00Z',
    }));
    const input = join(dir, 'visits.ndjson');
    await writeFile(input, visits.map((visit) => `${JSON.stringify(visit)}\n`).join(''));
    const output = join(dir, 'clicks');
    await run(process.execPath, [program, pathToFileURL(input).href, pathToFileURL(output).href]);
    const names = (await readdir(output)).filter((name) => name.endsWith('.ndjson'));
    expect(names).toHaveLength(1);
    const lines = (await readFile(join(output, names[0] ?? ''), 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(3334);
    expect(lines[1]).toBe('{"user":"user-3","day":"2026-03-03"}');
  } finally {
    await rm(dir, { recursive: true });
  }
});
