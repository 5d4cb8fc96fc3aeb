import { decodeManifest, encodeManifest } from '#src/checkpoint/manifestCodec.js';
import { readManifest } from '#src/checkpoint/trust.js';
import { logKey, type Manifest } from '#src/checkpoint/manifest.js';
import { fileCodec } from '#src/sinks/file/fileKind.js';
import { decodeCommittable, encodeCommittable } from '#src/sinks/twoPhase/committables.js';
import type { Json } from '#src/flow/index.js';
import { csv as csvFormat, ndjson } from 'millrace';
import { checkFormat, codecAt, decodePosition, type OpenPosition } from '#src/sources/filesPosition.js';
import { listedPositionOf } from '#src/sources/listedPosition.js';
import { between, pick } from '../../simulation/random.js';
import { mutated, mutatedJson } from '../mutate.js';
import { target } from '../target.js';

const committable = encodeCommittable(fileCodec, {
  uid: 'uid-1',
  store: 's3://lake',
  key: 'clicks/part-1.ndjson',
  uploadId: 'upload',
  parts: [{ number: 1, etag: 'e1', size: 5 << 20 }],
  tail: {
    ranges: [{ journal: 'data/0000000001/out-x.journal', offset: 0, length: 10, sha256: 'x' }],
    inline: Buffer.from('a tail\n'),
  },
  size: (5 << 20) + 17,
  records: 100,
  checkpoint: 3,
});

const csv = csvFormat({ comment: '#' });
const uris = ['s3://lake/raw/**'];
const position = {
  kind: 'files',
  version: 1,
  discovery: { kind: 'listed', version: 1, root: 0, uri: 's3://lake/raw/**', after: 'raw/2.csv.gz' },
  object: {
    key: 'raw/2.csv.gz',
    etag: 'e',
    offset: 100,
    line: 3,
    format: 'csv',
    state: { delimiter: 44, lineEnd: 'lf', names: ['a', 'b'] },
    compressed: { codec: 'gzip', at: 50, offset: 90 },
  },
  skipped: 2,
  read: { objects: 1, bytes: 1000 },
};

/** As a source believes a position before it reads anything, and decodes with it. */
function resume(json: Json): void {
  const { discovery, objects } = decodePosition('raw', json);
  listedPositionOf('raw', discovery, uris);
  for (const object of objects) resumeIn(object);
}

function resumeIn(object: OpenPosition): void {
  const format = object.split === undefined ? csv : ndjson<unknown>();
  checkFormat('raw', object.key, object, format);
  codecAt('raw', object.key, object, 'auto');
  if (object.offset === 0) return;
  const { offset, state } = object;
  format.decoder({ object: 's3://lake/raw/2.csv.gz', offset, state }).decode(
    Buffer.from('1,2\n'),
    offset,
    1,
    () => undefined,
    () => undefined,
  );
}
const { object: first, ...others } = position;
const several = {
  ...others,
  version: 2,
  objects: [
    { root: 0, ...first },
    { root: 0, ...first, key: 'raw/1.csv.gz' },
  ],
};
const split = { ...first, format: 'ndjson', compressed: undefined, state: undefined };
const splits = {
  ...others,
  version: 3,
  objects: [
    { root: 0, ...first, key: 'raw/1.csv.gz' },
    { root: 0, ...split, split: { begin: 90, end: 200 } },
    { root: 0, ...split, offset: 200, split: { begin: 200 } },
  ],
};

resume(position);
resume(several);
resume(splits);

const manifest = {
  version: 1,
  jobId: 'job-id',
  job: 'clicks',
  n: 4,
  prev: { n: 3, putId: 'put-3' },
  parent: 3,
  epoch: 2,
  putId: 'put-4',
  kind: 'checkpoint',
  checkpoint: 3,
  at: 1_700_000_000_000,
  operators: {
    raw: { kind: 'source', position, open: [], objects: [] },
    out: { kind: 'sink', open: [committable], objects: ['data/0000000001/out-x.journal'] },
  },
  pending: [{ sink: 'out', committable }],
  garbage: ['data/0000000001/old.state'],
  retained: [{ n: 3, putId: 'put-3', checkpoint: 2, objects: ['data/0000000001/visits.state'] }],
} as unknown as Manifest;

const key = 'a key of forty characters and some more.';
const dir = 's3://lake/checkpoints/clicks/';
const signed: Buffer = encodeManifest({ ...manifest, jobId: 'job-id-01234', dir }, key);

/** The same signature before other content, with its checksum set right: what an attacker can do without the key. */
function resealed(random: () => number): Buffer {
  const [, signature = ''] = /( [0-9a-f]{64})\n/.exec(signed.toString('latin1')) ?? [];
  const content = JSON.parse(signed.subarray(signed.indexOf(0x0a) + 1).toString()) as Manifest;
  const changed = encodeManifest(mutatedJson(random, content));
  const end = changed.indexOf(0x0a);
  return Buffer.concat([changed.subarray(0, end), Buffer.from(signature), changed.subarray(end)]);
}

function believe(bytes: Buffer): void {
  readManifest(bytes, manifest.n, {
    uri: dir,
    job: manifest.job,
    entropy: undefined,
    sign: { keys: ['another key of more than thirty-two bytes', key] },
  });
}
believe(signed);

export const checkpointTargets = [
  target({
    name: 'signed manifest',
    errors: ['ManifestCorrupt', 'ManifestNotTrusted', 'ManifestTooNew'],
    draw: (random) => (between(random, 0, 1) === 0 ? mutated(random, signed) : resealed(random)),
    run: (bytes: Buffer) => {
      believe(bytes);
      if (!bytes.equals(signed)) throw new TypeError(`${logKey(manifest.n)} was changed, and is believed.`);
    },
  }),
  target({
    name: 'manifest',
    errors: ['ManifestCorrupt', 'ManifestTooNew'],
    draw: (random) =>
      between(random, 0, 2) === 0
        ? mutated(random, encodeManifest(manifest))
        : encodeManifest(mutatedJson(random, manifest)),
    run: (bytes: Buffer) => decodeManifest(bytes, 's3://lake/log/1'),
  }),
  target({
    name: 'committable',
    errors: ['InvalidCommittable'],
    draw: (random) => mutatedJson(random, { ...committable, uid: 'uid-1' }),
    run: (stored) => decodeCommittable(fileCodec, stored as never),
  }),
  target({
    name: 'position of a files source',
    errors: ['BadPosition', 'ForeignName'],
    draw: (random) => mutatedJson(random, pick(random, [position, several, splits])),
    run: (json) => resume(json as Json),
  }),
];
