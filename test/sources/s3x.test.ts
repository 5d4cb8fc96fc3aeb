import { systemClock } from '../../src/flow/index.js';
import { text } from '../../src/formats/text.js';
import { files } from '../../src/sources/files.js';
import { stores, type Stores } from '../../src/store/services.js';
import { TestAttempt } from '../../src/testing/testAttempt.js';
import { memoryWith, storesOf, outputTo } from './harness.js';

test('a server is opened with the credentials of its URI, and no position contains them', () => {
  const uri = 's3x://AKIA:secret@host:9000/lake/raw/*.txt';
  const opened: string[] = [];
  const lake = storesOf(memoryWith({ 'raw/a.txt': 'a\n' }));
  const spy: Stores = {
    open: (each) => {
      opened.push(each);
      return lake.open(each);
    },
  };
  const attempt = new TestAttempt({ clock: systemClock, services: new Map([[stores, spy]]) });
  const failures: unknown[] = [];
  const source = files(uri, { format: text() });
  const reader = source.open({
    id: 'in',
    attempt,
    position: undefined,
    ready: () => undefined,
    fail: (error) => failures.push(error),
  });
  reader.poll(outputTo());
  expect(opened).toEqual([uri]);
  expect(failures).toEqual([]);
  expect(source.description + JSON.stringify(reader.position())).not.toMatch(/AKIA|secret/);
  reader.close();
});
