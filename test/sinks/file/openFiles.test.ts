import { FileNames } from '../../../src/sinks/file/fileNames.js';
import { maxRanges } from '../../../src/sinks/twoPhase/journal.js';
import { OpenFiles } from '../../../src/sinks/file/openFiles.js';
import { settingsOf } from '../../../src/sinks/file/options.js';
import { BufferPool } from '../../../src/store/multipart/index.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { TestAttempt } from '../../../src/testing/testAttempt.js';

function opened(): { readonly files: OpenFiles<string>; write(partition: string, bytes: number): void } {
  const format = { extension: '.txt', encode: (record: string) => Buffer.from(record) };
  const settings = settingsOf<string>('out', { format });
  const clock = new SimulatedClock();
  const names = new FileNames('out', new TestAttempt({ clock }), '', settings);
  const pool = new BufferPool(settings.budget);
  const nothing = (): void => undefined;
  const files = new OpenFiles<string>(settings, names, clock, pool, nothing, nothing);
  return { files, write: (partition, bytes) => files.write(files.of(partition, ''), 'x'.repeat(bytes)) };
}

test('a file in too many journals is rolled, and no longer counts', () => {
  const { files, write } = opened();
  for (let i = 0; i < maxRanges; i++) {
    write('often', 1000);
    for (const piece of files.frozen.takeFresh(false)) {
      const { length } = piece;
      piece.journaled({ journal: `${i}`, offset: 0, length, sha256: '' })();
    }
    files.drop(Infinity);
    files.frozen.freeze('', i, true);
  }
  write('often', 1000);
  write('once', 3000);
  expect(files.frozen.fresh).toBe(4000);
  expect(files.prepare()).toBe(3000);
  const { open, closed } = files.frozen.freeze('', maxRanges, true);
  expect(open.map(({ file }) => file.partition)).toEqual(['once']);
  expect(closed.map(({ file, size }) => [file.partition, size])).toEqual([['often', 17_000]]);
});
