import { fileCodec } from '../../src/sinks/file/fileKind.js';
import { formatUid } from '../../src/path/uids.js';
import { encodeCommittable } from '../../src/sinks/twoPhase/committables.js';
import { now } from '../job/harness.js';
import { Victim } from './forge.js';

const uidOf = (jobId: string, sink = 'out', epoch = 1, counter = 999): string =>
  formatUid({ jobId, sink, epoch, counter });

/** A file that is only a tail, so that the sink would create an upload for it, fill it and complete it. */
async function pending(file: (jobId: string) => object): Promise<Victim> {
  const victim = new Victim();
  await victim.run({ until: 2000 });
  victim.forge((m) => {
    const uid = uidOf(m.jobId);
    const committable = encodeCommittable(fileCodec, {
      uid,
      store: 'memory://lake',
      key: `out/part-${uid}.ndjson`,
      uploadId: undefined,
      parts: [],
      size: 5,
      records: 1,
      checkpoint: m.checkpoint,
      tail: { ranges: [], inline: Buffer.from('evil\n') },
    });
    m.pending = [{ sink: 'out', committable: { ...committable, ...file(m.jobId) } }];
  });
  return victim;
}

test.each<[string, (jobId: string) => object]>([
  ['a local file', (id) => ({ store: 'file:///etc', key: `cron.d/part-${uidOf(id)}` })],
  ['the store of another scheme', (id) => ({ store: 'memory://other', key: `out/part-${uidOf(id)}` })],
  [
    'a server that is not the sink’s',
    (id) => ({ store: 's3x://evil.example.com/b', key: `out/part-${uidOf(id)}` }),
  ],
  ['the sink’s store, spelt otherwise', (id) => ({ store: 'memory://lake/', key: `out/part-${uidOf(id)}` })],
  ['another folder', (id) => ({ key: `elsewhere/part-${uidOf(id)}` })],
  ['a folder that only begins like the sink’s', (id) => ({ key: `outside/part-${uidOf(id)}` })],
  ['the folder itself', () => ({ key: 'out/' })],
  ['a way out of the folder', (id) => ({ key: `out/../elsewhere/part-${uidOf(id)}` })],
  ['a NUL', (id) => ({ key: `out/a\0b/part-${uidOf(id)}` })],
  ['an absolute key', (id) => ({ key: `/out/part-${uidOf(id)}` })],
  ['a name of no sink', () => ({ key: 'out/_SUCCESS' })],
  ['another file’s name', (id) => ({ key: `out/part-${uidOf(id, 'out', 1, 1)}` })],
  ['another job’s name', () => ({ uid: uidOf('AAAAAAAAAAAA'), key: `out/part-${uidOf('AAAAAAAAAAAA')}` })],
  ['another sink’s name', (id) => ({ uid: uidOf(id, 'x'), key: `out/part-${uidOf(id, 'x')}` })],
  [
    'a name of a later epoch',
    (id) => ({ uid: uidOf(id, 'out', 99), key: `out/part-${uidOf(id, 'out', 99)}` }),
  ],
])('a committable for %s is refused, and nothing is written', async (_, file) => {
  const victim = await pending(file);
  const error = await victim.failure();
  expect(error).toMatchObject({ code: 'ForeignName', retryable: false });
  expect(error.message).toContain("The checkpoint of fileSink 'out' names");
  expect(victim.beyond).toEqual([]);
  expect(victim.requests.filter((request) => /createUpload|uploadPart|completeUpload/.test(request))).toEqual(
    [],
  );
});

test.each<[string, object]>([
  ['empty', { uploadId: '' }],
  ['a control character', { uploadId: 'a\nb' }],
  ['no string', { uploadId: 7 }],
  ['endless', { uploadId: 'x'.repeat(10_000) }],
])('an upload id that is %s is refused', async (_, more) => {
  const victim = await pending(() => more);
  await expect(victim.failure()).resolves.toMatchObject({ code: 'InvalidCommittable', retryable: false });
  expect(victim.requests.filter((request) => /Upload|Part/.test(request))).toEqual([]);
});

test('more parts than an upload may have are refused', async () => {
  const part = ['etag', 5 * 2 ** 20];
  const victim = await pending(() => ({ uploadId: 'u', parts: Array<unknown>(10_001).fill(part) }));
  await expect(victim.failure()).resolves.toMatchObject({ code: 'InvalidCommittable', retryable: false });
  expect(victim.requests.filter((request) => /Upload|Part/.test(request))).toEqual([]);
});

test('a tail too large for memory is refused before any is allocated', async () => {
  const victim = new Victim();
  await victim.run({ until: 2000 });
  victim.forge((m) => {
    const uid = uidOf(m.jobId);
    const range = { journal: 'data/0000000001/out-1.journal', offset: 0, length: 2 ** 52, sha256: 'x' };
    const committable = encodeCommittable(fileCodec, {
      uid,
      store: 'memory://lake',
      key: `out/part-${uid}.ndjson`,
      uploadId: 'u',
      parts: [],
      size: 2 ** 52,
      records: 1,
      checkpoint: m.checkpoint,
      tail: { ranges: [range], inline: undefined },
    });
    m.pending = [{ sink: 'out', committable }];
    m.operators['out']!.objects.push(range.journal);
  });
  await expect(victim.failure()).resolves.toMatchObject({ code: 'InvalidCommittable', retryable: false });
});

test('the same file in the sink’s own folder is published: the forgeries above lack nothing else', async () => {
  const victim = await pending(() => ({}));
  const { jobId } = victim.read();
  await victim.run();
  expect(now(victim.lake.store.head(`out/part-${uidOf(jobId)}.ndjson`)).size).toBe(5);
});

test('credentials in a foreign URI appear in no message', async () => {
  const victim = await pending((id) => ({
    store: 's3x://key:hush@evil.example.com/b',
    key: `part-${uidOf(id)}`,
  }));
  const { message } = await victim.failure();
  expect(message).toContain('s3x://evil.example.com/b/part-');
  expect(message).not.toContain('hush');
});

test('a moved sink publishes in its earlier folder only if that is declared', async () => {
  const victim = await pending(() => ({}));
  const { jobId } = victim.read();
  const out = 'memory://lake/elsewhere';
  const refused = await victim.failure({ out });
  expect(refused).toMatchObject({ code: 'ForeignName' });
  expect(refused.message).toContain("earlier: ['memory://lake/…']");
  await victim.run({ out, sink: { earlier: ['memory://lake/out'] } });
  expect(now(victim.lake.store.head(`out/part-${uidOf(jobId)}.ndjson`)).size).toBe(5);
});

test('a partition cannot lead out of the folder either', async () => {
  for (const partition of ['..', 'a/../../b', './a', 'a/.', 'a\0b']) {
    const victim = new Victim();
    await expect(victim.failure({ sink: { partitionBy: () => partition } })).resolves.toMatchObject({
      code: 'InvalidPartition',
    });
    expect(victim.requests.filter((request) => / (createUpload|put) out/.test(request))).toEqual([]);
  }
});
