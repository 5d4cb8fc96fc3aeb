import { formatUid, parseUid } from '../../src/path/uids.js';

describe('uids', () => {
  test.each(['out', 'dead letters/1', 'a-b_c.d', 'größe'])('sink %s: is read back from a key', (sink) => {
    const uid = { jobId: 'ab-part-cd_9', sink, epoch: 12, counter: 345 };
    for (const around of [
      (name: string) => name,
      (name: string) => `x/y part-z/part-${name.replace('part-', 'part-')}0001.ndjson`,
    ]) {
      expect(parseUid(around(`part-${formatUid(uid)}`))).toEqual(uid);
    }
  });

  test('other names contain none', () => {
    for (const key of ['', 'part-', 'part-0000-1.csv', 'a/part-00000-1-c000.snappy.parquet']) {
      expect(parseUid(key)).toBeUndefined();
    }
  });
});
