import { inspect } from 'node:util';
import { encodeManifest } from '../../src/checkpoint/index.js';
import { logKey, type Manifest } from '../../src/checkpoint/manifest.js';
import { createJob, loadConfig, type SignOptions } from '../../src/index.js';
import { now } from '../job/harness.js';
import { Victim } from './forge.js';

const one = 'one-'.padEnd(40, 'x');
const other = 'other-'.padEnd(40, 'y');

const signed = (sign: SignOptions, dir = 'memory://lake/checkpoints') => ({
  job: { checkpoints: { dir, sign } },
});

/** A signed job that was stopped in the middle. */
async function stopped(): Promise<Victim> {
  const victim = new Victim();
  await victim.run({ until: 2000, ...signed({ keys: one }) });
  return victim;
}

const put = (victim: Victim, manifest: Manifest, key: string | undefined, n = victim.newest): void =>
  void now(victim.lake.store.put(`checkpoints/test/${logKey(n)}`, encodeManifest(manifest, key)));

const refused = { code: 'ManifestNotTrusted', retryable: false };

test('a signed job continues from its own checkpoints, and its output is complete', async () => {
  const victim = await stopped();
  await victim.run(signed({ keys: one }));
  expect(victim.lake.lines('out/').length).toBe(8000);
  expect(JSON.stringify(now(victim.lake.store.list({})))).not.toContain(one);
});

test.each<[string, (victim: Victim) => void]>([
  ['unsigned', (victim) => put(victim, victim.read(), undefined)],
  ['signed with another key', (victim) => put(victim, victim.read(), other)],
  [
    'changed behind its signature',
    (victim) => {
      const key = `checkpoints/test/${logKey(victim.newest)}`;
      const bytes = Buffer.concat(now(victim.lake.store.get(key)).chunks).toString();
      const forged = encodeManifest({ ...victim.read(), finished: true }).toString();
      const signature = /[0-9a-f]{64}(?=\n)/.exec(bytes)?.[0];
      now(victim.lake.store.put(key, Buffer.from(forged.replace('\n', ` ${signature}\n`))));
    },
  ],
  [
    'put in the next slot, unsigned',
    (victim) => put(victim, { ...victim.read(), n: victim.newest + 1 }, undefined, victim.newest + 1),
  ],
])('a manifest that is %s is refused, and nothing is changed', async (_, forge) => {
  const victim = await stopped();
  forge(victim);
  const before = now(victim.lake.store.list({})).objects;
  await expect(victim.failure(signed({ keys: one }))).resolves.toMatchObject(refused);
  expect(now(victim.lake.store.list({})).objects).toEqual(before);
});

test('an older manifest of the same job in a new slot is refused', async () => {
  const victim = await stopped();
  put(victim, victim.read(victim.newest - 1), one, victim.newest + 1);
  await expect(victim.failure(signed({ keys: one }))).resolves.toMatchObject({ code: 'ManifestCorrupt' });
});

test('a manifest of another job under the same key is refused', async () => {
  const victim = await stopped();
  put(victim, { ...victim.read(), job: 'other' }, one);
  await expect(victim.failure(signed({ keys: one }))).resolves.toMatchObject({ code: 'ManifestCorrupt' });
});

test('a log that was copied to another directory is refused, unless it was moved', async () => {
  const victim = await stopped();
  for (const { key } of now(victim.lake.store.list({ prefix: 'checkpoints/' })).objects)
    now(victim.lake.store.copy(key, key.replace('checkpoints/', 'elsewhere/')));
  const dir = 'memory://lake/elsewhere';
  const error = await victim.failure(signed({ keys: one }, dir));
  expect(error).toMatchObject(refused);
  expect(error.message).toContain('is signed for memory://lake/checkpoints/test/');
  expect(error.message).toContain("checkpoints.sign.accept: 'moved'");
  await victim.run({ until: 1, ...signed({ keys: one, accept: 'moved' }, dir) });
  await victim.run(signed({ keys: one }, dir));
  expect(victim.lake.lines('out/').length).toBe(8000);
});

test('a job that begins to sign reports it once', async () => {
  const victim = new Victim();
  await victim.run({ until: 1000 });
  const error = await victim.failure(signed({ keys: one }));
  expect(error).toMatchObject(refused);
  expect(error.message).toContain("checkpoints.sign.accept: 'unsigned'");
  await expect(victim.failure(signed({ keys: one, accept: 'moved' }))).resolves.toMatchObject(refused);
  await victim.run({ until: 1, ...signed({ keys: one, accept: 'unsigned' }) });
  await victim.run(signed({ keys: one }));
  expect(victim.lake.lines('out/').length).toBe(8000);
});

test('a wrong signature is refused even if unsigned manifests are accepted', async () => {
  const victim = await stopped();
  put(victim, victim.read(), other);
  await expect(victim.failure(signed({ keys: one, accept: 'unsigned' }))).resolves.toMatchObject(refused);
});

test('keys are rotated: the first signs, all verify', async () => {
  const victim = await stopped();
  await expect(victim.failure(signed({ keys: other }))).resolves.toMatchObject(refused);
  await victim.run({ until: 1, ...signed({ keys: [other, one] }) });
  await expect(victim.failure(signed({ keys: one }))).resolves.toMatchObject(refused);
  await victim.run(signed({ keys: [other] }));
  expect(victim.lake.lines('out/').length).toBe(8000);
});

test('no error and no printed value shows keys', async () => {
  const short = 'hush';
  const dir = 'memory://lake/checkpoints';
  const messages: string[] = [];
  for (const sign of [
    { keys: short },
    { keys: [one, short] },
    { keys: [] },
    short,
    { keys: `${one} ${one}` },
  ]) {
    try {
      createJob({ name: 'x', checkpoints: { dir, sign: sign as SignOptions } });
    } catch (error) {
      expect(error).toMatchObject({ code: 'InvalidOption' });
      messages.push((error as Error).message);
    }
  }
  expect(messages).toHaveLength(5);
  const config = loadConfig({ env: { EXECUTION_CHECKPOINTING_SIGN_KEYS: `${one},${other}` }, file: false });
  expect(config.checkpoints.sign?.keys).toEqual([one, other]);
  const victim = await stopped();
  const { message } = await victim.failure(signed({ keys: other }));
  const shown = [...messages, message, inspect(config, { depth: 9 }), JSON.stringify(config)].join();
  for (const secret of [one, other, short]) expect(shown).not.toContain(secret);
});
