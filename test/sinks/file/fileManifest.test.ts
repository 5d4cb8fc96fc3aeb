import {
  decodeLatest,
  encodeLatest,
  encodeManifest,
  largestLatest,
  nameOf,
  positionOf,
  type FileManifest,
  type LatestManifest,
  type ManifestPosition,
} from '../../../src/sinks/file/fileManifest.js';

const manifest: FileManifest = {
  ...{ version: 1, job: 'clicks', jobId: 'abcdefghijkl', sink: 'out', epoch: 3, checkpoint: 42 },
  files: [
    {
      uri: 's3://lake/clicks/day=2026-01-31/part-abcdefghijkl-out-0000000003-000000000.ndjson',
      partition: 'day=2026-01-31',
      bytes: 1234,
      records: 56,
      times: { from: 1769817600000, to: 1769903999999 },
    },
    {
      uri: 's3://lake/clicks/part-abcdefghijkl-out-0000000003-000000001.ndjson',
      partition: '',
      bytes: 7,
      records: 1,
    },
  ],
};

/** These bytes are a promise to readers. Change them only with the version. */
const golden = `{"version":1,"job":"clicks","jobId":"abcdefghijkl","sink":"out","epoch":3,"checkpoint":42,"files":[
{"uri":"s3://lake/clicks/day=2026-01-31/part-abcdefghijkl-out-0000000003-000000000.ndjson","partition":"day=2026-01-31","bytes":1234,"records":56,"times":{"from":1769817600000,"to":1769903999999}},
{"uri":"s3://lake/clicks/part-abcdefghijkl-out-0000000003-000000001.ndjson","partition":"","bytes":7,"records":1}
]}
`;

const latest: LatestManifest = {
  ...{ version: 1, jobId: 'abcdefghijkl', sink: 'out', epoch: 3, checkpoint: 42 },
  manifest: '0000000003-0000000000000042.json',
};
const goldenLatest =
  '{"version":1,"jobId":"abcdefghijkl","sink":"out","epoch":3,"checkpoint":42,"manifest":"0000000003-0000000000000042.json"}\n';

test('a manifest is a line for each file, between a line with the header and one that closes it', () => {
  expect(encodeManifest(manifest).toString()).toBe(golden);
  expect(JSON.parse(golden)).toEqual(manifest);
});

test('latest.json is one line', () => {
  expect(encodeLatest(latest).toString()).toBe(goldenLatest);
  expect(decodeLatest(Buffer.from(goldenLatest))).toEqual(latest);
});

test('names are in the order of positions, and say which', () => {
  const positions: ManifestPosition[] = [
    { epoch: 1, checkpoint: 2 },
    { epoch: 1, checkpoint: 10 },
    { epoch: 1 },
    { epoch: 2, checkpoint: 11 },
    { epoch: 10, checkpoint: Number.MAX_SAFE_INTEGER },
    { epoch: 10 },
  ];
  const names = positions.map(nameOf);
  expect(names).toEqual([...names].sort());
  expect(names.map(positionOf)).toEqual(positions);
  expect('latest' > names.at(-1)!).toBe(true);
});

test.each([
  ['nothing', ''],
  ['no JSON', 'latest'],
  ['a list', '[]'],
  ['fields are missing', '{}'],
  ['an epoch that is no count', goldenLatest.replace('"epoch":3', '"epoch":-3')],
  ['the name of another manifest', goldenLatest.replace('0042.json', '0043.json')],
  ['too much', goldenLatest + ' '.repeat(largestLatest)],
])('not a latest.json: %s', (_, body) => {
  expect(decodeLatest(Buffer.from(body))).toBeUndefined();
});
