import { readFileSync } from 'node:fs';
import { logKey, type Manifest } from '../../src/checkpoint/manifest.js';
import { now } from '../job/harness.js';
import { segmentsOf } from '../state/harness.js';
import { Victim, type Forgery } from './forge.js';

/** A job that was stopped after some checkpoints; its newest entry is forged. */
async function forged(change: Forgery): Promise<Victim> {
  const victim = new Victim();
  await victim.run({ until: 2000 });
  for (const key of ['foreign/x', 'checkpoints/other/data/0000000001/x'])
    now(victim.lake.store.put(key, Buffer.from('precious')));
  victim.forge(change);
  return victim;
}

const foreign: Readonly<Record<string, Forgery>> = {
  'garbage: an object of the bucket': (m) => void (m.garbage = ['foreign/x']),
  'garbage: another job': (m) => void (m.garbage = ['../other/data/0000000001/x']),
  'garbage: out of the folder by dots': (m) => void (m.garbage = ['data/../../../foreign/x']),
  'garbage: a folder that only begins so': (m) => void (m.garbage = ['data2/0000000001/x']),
  'garbage: empty': (m) => void (m.garbage = ['']),
  'garbage: an empty name': (m) => void (m.garbage = ['data//x']),
  'garbage: a NUL': (m) => void (m.garbage = ['data/0000000001/x\0y']),
  'garbage: an absolute path': (m) => void (m.garbage = ['/foreign/x']),
  'garbage: a URI': (m) => void (m.garbage = ['memory://elsewhere/x']),
  'garbage: the newest entry': (m) => void (m.garbage = [logKey(m.n)]),
  'garbage: the entry before it': (m) => void (m.garbage = [logKey(m.n - 1)]),
  'objects of an operator': (m) => void (m.operators['seen']!.objects = ['foreign/x']),
  'objects that are retained': (m) =>
    void (m.retained = [{ n: 1, putId: 'x', checkpoint: 1, objects: ['foreign/x'] }]),
  'journals of a committable': (m) =>
    void (m.pending = [{ sink: 'out', committable: { uid: 'u', objects: ['foreign/x'] } }]),
  'journals of an open file': (m) => void (m.operators['out']!.open = [{ uid: 'u', objects: ['../x'] }]),
  'entropy without a marker': (m) => void (m.entropy = { at: 0, name: true, values: ['foreign'] }),
  'the id of no job': (m) => void (m.jobId = '../../../evil'),
  'an epoch without a successor': (m) => void (m.epoch = Number.MAX_SAFE_INTEGER),
  'an epoch of eleven digits': (m) => void (m.epoch = 99_999_999_999),
};

test.each(Object.entries(foreign))('%s: refused before any request and any change', async (_, change) => {
  const victim = await forged(change);
  const before = now(victim.lake.store.list({})).objects;
  await expect(victim.failure()).resolves.toMatchObject({ code: 'ForeignName', retryable: false });
  expect(victim.beyond).toEqual([]);
  expect(victim.requests.filter((request) => / (delete|put|createUpload) /.test(request))).toEqual([]);
  expect(now(victim.lake.store.list({})).objects).toEqual(before);
});

test.each(['foreign/x', '../other/data/0000000001/x', 'data/../log/x', ''])(
  'a segment named %j is refused, and not read',
  async (object) => {
    const victim = await forged(({ operators }) => {
      const segments = segmentsOf(operators['seen']?.snapshot) as { object: string }[];
      for (const segment of segments) segment.object = object;
    });
    await expect(victim.failure()).resolves.toMatchObject({ code: 'ForeignName', retryable: false });
    expect(victim.beyond).toEqual([]);
  },
);

test('no manifest determines where data objects are', async () => {
  const victim = await forged((m) => {
    Object.assign(m, { data: { prefix: '' } });
    m.garbage = ['data/0000000001/x'];
  });
  now(victim.lake.store.put('data/0000000001/x', Buffer.from('precious')));
  await victim.run();
  expect(now(victim.lake.store.head('data/0000000001/x')).size).toBe(8);
});

test('the message says what was named, where, and what to do', async () => {
  const victim = await forged((m) => void (m.garbage = ['foreign/x']));
  const { message } = await victim.failure();
  expect(message).toContain(`The manifest memory://lake/checkpoints/test/${logKey(victim.newest)}`);
  expect(message).toContain('names "foreign/x", which is not in the job\'s own folder. It was not touched.');
  expect(message).toContain('somebody else has written to the checkpoint directory');
});

test.each([
  ['an older entry over the newest', (m: Manifest) => ({ ...m, n: m.n - 1 })],
  ['the entry of another job', (m: Manifest) => ({ ...m, job: 'other' })],
])('%s is ManifestCorrupt, and the message says what it is', async (_, change) => {
  const victim = new Victim();
  await victim.run({ until: 2000 });
  const n = victim.newest;
  const says = change(victim.read());
  victim.write(says);
  const error = await victim.failure();
  expect(error).toMatchObject({ code: 'ManifestCorrupt', retryable: false });
  expect(error.message).toContain(
    `log/${String(n).padStart(20, '0')} should be entry ${n} of job 'test', but is entry ${says.n} of job '${says.job}'`,
  );
});

/** The compiler holds it complete. */
const fields: Readonly<Record<keyof Manifest, true>> = {
  version: true,
  jobId: true,
  job: true,
  dir: true,
  n: true,
  prev: true,
  parent: true,
  epoch: true,
  putId: true,
  kind: true,
  checkpoint: true,
  at: true,
  entropy: true,
  operators: true,
  pending: true,
  garbage: true,
  retained: true,
  finished: true,
  savepoint: true,
  keyGroups: true,
  from: true,
  revokes: true,
};

test('the table of data that is read from a store names every field of a manifest', () => {
  const source = readFileSync('src/checkpoint/trust.ts', 'utf8');
  const rows = source.split('\n').filter((line) => line.startsWith(' * |'));
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)/g)].map(([, name]) => name),
  );
  expect(Object.keys(fields).filter((field) => !named.includes(field))).toEqual([]);
});
