import { now } from '../job/harness.js';
import { Victim } from './forge.js';

interface Position {
  root: number;
  uri: string;
  after?: unknown;
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
  return { key: 'elsewhere/secret.ndjson', etag, offset: 0, line: 0 };
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
      p.after = 'elsewhere/secret.ndjson';
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
  ['a root that is no number', (p) => Object.assign(p, { root: 'raw' })],
  ['a negative root', (p) => Object.assign(p, { root: -1 })],
  ['an offset that is none', (p) => Object.assign(object(p), { offset: -1 })],
  ['a line that is none', (p) => Object.assign(object(p), { line: '1' })],
  ['a member that is none', (p) => Object.assign(object(p), { member: null })],
  ['a key that is none', (p) => Object.assign(object(p), { key: ['raw/a.ndjson'] })],
  ['a key to start after that is none', (p) => Object.assign(p, { after: 7 })],
  ['a count that is none', (p) => Object.assign(p, { skipped: 'many' })],
  ['a place beyond the end', (p) => Object.assign(object(p), { offset: 1e12 })],
])('a position with %s is BadPosition', async (_, change) => {
  const victim = await positioned(change);
  await expect(victim.failure()).resolves.toMatchObject({ code: 'BadPosition', retryable: false });
});

test('the object that was being read must still be that version', async () => {
  const victim = await positioned((position, { lake }) => {
    lake.put(String(object(position)['key']), [{ n: 0 }]);
  });
  await expect(victim.failure()).resolves.toMatchObject({ code: 'ObjectChanged' });
});
