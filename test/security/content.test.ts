import { crc32 } from 'node:zlib';
import { now } from '../job/harness.js';
import { Victim } from './forge.js';

/** The generator of CRC-32, low bit first: adding it to data does not change the checksum. */
const generator = Buffer.from('410671db01', 'hex');

/** Changes an object without changing its CRC-32. */
function forgeContent(victim: Victim, key: string, at: number): void {
  const { store } = victim.lake;
  const bytes = Buffer.concat(now(store.get(key)).chunks);
  const forged = Buffer.from(bytes);
  generator.forEach((byte, i) => void (forged[at + i]! ^= byte));
  expect(crc32(forged)).toBe(crc32(bytes));
  expect(forged).not.toEqual(bytes);
  now(store.put(key, forged));
}

function dataOf(victim: Victim, ending: string): string {
  const keys = now(victim.lake.store.list({ prefix: 'checkpoints/test/data/' })).objects.map(
    ({ key }) => key,
  );
  const found = keys.find((key) => key.endsWith(ending));
  if (found === undefined) throw new Error(`None of ${keys.join(', ')} ends in ${ending}.`);
  return found;
}

test('a segment whose content was changed under the same checksum is not restored', async () => {
  const victim = new Victim();
  await victim.run({ until: 2000 });
  forgeContent(victim, dataOf(victim, '.state'), 30);
  const error = await victim.failure();
  expect(error).toMatchObject({ code: 'SegmentCorrupt', retryable: false });
  // Detected before anything is decoded.
  expect(error.message).toContain('the checksum of its block at byte 8 is wrong');
});

test('a journal whose content was changed under the same checksum is not published', async () => {
  const victim = new Victim(20_000);
  await victim.run({ until: 15_000 });
  forgeContent(victim, dataOf(victim, '.journal'), 30);
  await expect(victim.failure()).resolves.toMatchObject({ code: 'CorruptJournal', retryable: false });
});
