import { now } from '../job/harness.js';
import { Victim } from './forge.js';

interface Position {
  kind?: unknown;
  version?: unknown;
  discovery: {
    kind?: unknown;
    version?: unknown;
    root: unknown;
    uri?: string;
    after?: unknown;
    last?: unknown;
  };
  object?: Record<string, unknown>;
  skipped: unknown;
}

/** A job that was stopped in the middle of an object, and whose position is forged. */
async function positioned(change: (position: Position, victim: Victim) => unknown): Promise<Victim> {
  const victim = new Victim();
  await victim.run({ until: 2000 });
  victim.forge(({ operators }) => {
    change(operators['raw']?.snapshot as Position, victim);
  });
  return victim;
}

const secret = (victim: Victim): object => {
  const { etag } = now(victim.lake.store.head('elsewhere/secret.ndjson'));
  return { key: 'elsewhere/secret.ndjson', etag, offset: 0, line: 0, format: 'ndjson' };
};
const object = (position: Position): Record<string, unknown> => {
  if (position.object === undefined) throw new Error('The job was not in the middle of an object.');
  return position.object;
};

test.each<[string, (position: Position, victim: Victim) => unknown]>([
  ['an object elsewhere in the bucket', (p, victim) => Object.assign(object(p), secret(victim))],
  ['an object that the pattern hides', (p) => Object.assign(object(p), { key: 'raw/_hidden.ndjson' })],
  ['a key that only begins like the folder', (p) => Object.assign(object(p), { key: 'raws/x' })],
  ['an object below what the pattern matches', (p) => Object.assign(object(p), { key: 'raw/deep/x' })],
  ['a marker of a directory', (p) => Object.assign(object(p), { key: 'raw/' })],
  ['a way out of the folder', (p) => Object.assign(object(p), { key: 'raw/../elsewhere/secret.ndjson' })],
  ['no version', (p) => delete object(p)['etag']],
  ['an empty version', (p) => Object.assign(object(p), { etag: '' })],
  ['any version', (p) => Object.assign(object(p), { etag: '*' })],
  [
    'a start elsewhere',
    (p) => {
      delete p.object;
      p.discovery.after = 'elsewhere/secret.ndjson';
    },
  ],
])('a position that names %s is refused, and nothing is read', async (_, change) => {
  const victim = await positioned(change);
  const error = await victim.failure();
  expect(error).toMatchObject({ code: 'ForeignName', retryable: false });
  expect(error.message).toContain("The checkpoint's position of source 'raw' names");
  expect(victim.beyond).toEqual([]);
  expect(victim.requests.filter((request) => / (head|get|list) (raw|elsewhere)/.test(request))).toEqual([]);
});

test.each<[string, (position: Position) => unknown]>([
  ['a root that is no number', (p) => Object.assign(p.discovery, { root: 'raw' })],
  ['a negative root', (p) => Object.assign(p.discovery, { root: -1 })],
  [
    'a root beyond the last',
    (p) => {
      Object.assign(p.discovery, { root: 2, last: '' });
      delete p.discovery.uri;
    },
  ],
  [
    'an object and the end of the input',
    (p) => {
      Object.assign(p.discovery, { root: 1, last: '' });
      delete p.discovery.uri;
    },
  ],
  [
    'the end of the input and no last key',
    (p) => {
      Object.assign(p.discovery, { root: 1 });
      delete p.discovery.uri;
      delete p.object;
    },
  ],
  ['a last key before the end', (p) => Object.assign(p.discovery, { last: 'raw/z.ndjson' })],
  ['an object and another key to start after', (p) => Object.assign(p.discovery, { after: 'raw/z' })],
  ['no discovery', (p) => Object.assign(p, { discovery: undefined })],
  ['a discovery that is none', (p) => Object.assign(p, { discovery: 7 })],
  ['no format', (p) => delete object(p)['format']],
  ['another format', (p) => Object.assign(object(p), { format: 'text' })],
  ['a state where the format has none', (p) => Object.assign(object(p), { state: { header: [] } })],
  ['an unknown codec', (p) => Object.assign(object(p), { compressed: { codec: 'zip', at: 0, offset: 0 } })],
  [
    'a member after the place',
    (p) => Object.assign(object(p), { compressed: { codec: 'gzip', at: 0, offset: 1e6 } }),
  ],
  ['an offset that is none', (p) => Object.assign(object(p), { offset: -1 })],
  ['a line that is none', (p) => Object.assign(object(p), { line: '1' })],
  ['a member that is none', (p) => Object.assign(object(p), { compressed: null })],
  ['a key that is none', (p) => Object.assign(object(p), { key: ['raw/a.ndjson'] })],
  ['a key to start after that is none', (p) => Object.assign(p.discovery, { after: 7 })],
  ['a count that is none', (p) => Object.assign(p, { skipped: 'many' })],
  ['a place beyond the end', (p) => Object.assign(object(p), { offset: 1e12 })],
])('a position with %s is BadPosition', async (_, change) => {
  const victim = await positioned(change);
  await expect(victim.failure()).resolves.toMatchObject({ code: 'BadPosition', retryable: false });
});

test.each<[string, (position: Position) => unknown, string]>([
  ['another kind', (p) => Object.assign(p, { kind: 'topic' }), "is of kind 'topic' instead of 'files'"],
  ['no kind', (p) => delete p.kind, "is of no kind instead of 'files'"],
  [
    'another version',
    (p) => Object.assign(p, { version: 4 }),
    "is of version 4, but this millrace reads version 1, 2 and 3 of kind 'files'",
  ],
  [
    'no version',
    (p) => delete p.version,
    "is of no version, but this millrace reads version 1, 2 and 3 of kind 'files'",
  ],
  [
    'another discovery',
    (p) => Object.assign(p.discovery, { kind: 'continuous' }),
    "is of kind 'continuous' instead of 'listed': `discover` was removed",
  ],
  [
    'another version of its discovery',
    (p) => Object.assign(p.discovery, { version: 7 }),
    "is of version 7, but this millrace reads version 1 of kind 'listed'",
  ],
])('a position of %s is BadPosition, which names both, and nothing is read', async (_, change, what) => {
  const victim = await positioned(change);
  const error = await victim.failure();
  expect(error).toMatchObject({ code: 'BadPosition', retryable: false });
  expect(error.message).toContain(`The checkpoint's position of source 'raw' ${what}.`);
  expect(victim.requests.filter((request) => / (head|get|list) raw/.test(request))).toEqual([]);
});

test('the object that was being read must still be that version', async () => {
  const victim = await positioned((position, { lake }) => {
    lake.put(String(object(position)['key']), [{ n: 0 }]);
  });
  await expect(victim.failure()).resolves.toMatchObject({ code: 'ObjectChanged' });
});
