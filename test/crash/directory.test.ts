import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { JobProcess } from '../processes/child.js';
import { inputObject } from '../processes/input.js';
import { progress } from '../processes/lives.js';
import { effort } from '../support/effort.js';
import { entryOf, keptBy } from '../support/entry.js';

const records = effort(4000, 6000);

/** All files below a directory, including the store's own. */
async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .sort();
}

test('a job on a directory that was killed repeatedly leaves no unfinished upload and no temporary file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
  const processes: JobProcess[] = [];
  try {
    await mkdir(join(dir, 'raw'));
    await writeFile(join(dir, 'raw/0.ndjson'), inputObject(0, records));
    const at = (name: string): string => `file://${join(dir, name)}`;
    const task = {
      input: `${at('raw')}/*.ndjson`,
      output: at('out'),
      checkpoints: at('checkpoints'),
      padding: 2000,
      pause: { every: 50, ms: 8 },
      patience: 60_000,
    };
    const start = (): JobProcess => {
      const process = new JobProcess(task, {});
      processes.push(process);
      return process;
    };
    for (let kills = 0; kills < effort(2, 5); kills++) {
      const process = start();
      await progress(process);
      process.signal('SIGKILL');
      await process.exit;
    }
    expect(await start().exit).toMatchObject({ code: 0, last: { outcome: 'finished' } });

    const files = await filesBelow(dir);
    expect(files.filter((file) => /\.millrace\/(tmp|uploads)\//.test(file))).toEqual([]);
    const newest = files.findLast((file) => /^checkpoints\/counts\/log\/\d+$/.test(file))!;
    const kept = keptBy(entryOf(await readFile(join(dir, newest), 'utf8')), 'checkpoints', 'counts');
    const visible = files.filter((file) => !file.includes('.millrace'));
    expect(visible.filter((file) => file.startsWith('checkpoints/') && !kept.has(file))).toEqual([]);
    const lines = await Promise.all(
      visible.filter((file) => file.startsWith('out/')).map((file) => readFile(join(dir, file), 'utf8')),
    );
    const ids = lines.flatMap((text) =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { readonly id: number }).id),
    );
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: records }, (_, id) => id));
  } finally {
    await Promise.all(processes.map((process) => process.end()));
    await rm(dir, { recursive: true });
  }
});
