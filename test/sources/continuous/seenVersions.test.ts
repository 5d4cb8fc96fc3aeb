import fc from 'fast-check';
import { isEncodedVersions, SeenVersions } from '../../../src/sources/continuous/seenVersions.js';

const name = fc.constantFrom('a', 'b', 'c');
const version = fc.record({ key: name, etag: name, minute: fc.integer({ min: -2, max: 4 }) });
const step = fc.oneof(
  version.map((each) => ({ type: 'add' as const, ...each })),
  version.map((each) => ({ type: 'look' as const, ...each })),
  fc.integer({ min: -2, max: 5 }).map((before) => ({ type: 'drop' as const, before })),
  fc.constant({ type: 'encode' as const }),
);

test('the newest version of each key is seen, until its minute is dropped; encoded and decoded it is the same', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const seen = new SeenVersions();
      const model = new Map<string, { etag: string; minute: number }>();
      for (const each of steps) {
        if (each.type === 'encode') seen.encoded();
        else if (each.type === 'drop') {
          seen.drop(each.before);
          for (const [key, { minute }] of model) if (minute < each.before) model.delete(key);
        } else {
          const known = model.get(each.key);
          const minute = Math.max(each.minute, known?.minute ?? each.minute);
          if (each.type === 'add') {
            seen.add(each, each.minute);
            model.set(each.key, { etag: each.etag, minute });
          } else {
            const expected = known === undefined ? 'new' : known.etag === each.etag ? 'same' : 'other';
            expect(seen.look(each, each.minute)).toBe(expected);
            if (known !== undefined) known.minute = minute;
          }
        }
      }
      const encoded = seen.encoded() as Record<string, string>;
      expect(isEncodedVersions(encoded)).toBe(true);
      const minutes = [...model.values()].map(({ minute }) => String(minute));
      expect(Object.keys(encoded).sort()).toEqual([...new Set(minutes)].sort());
      for (const [minute, entries] of Object.entries(encoded))
        expect(entries).toHaveLength(20 * minutes.filter((each) => each === minute).length);
      const decoded = new SeenVersions(encoded);
      expect([seen.size, decoded.size]).toEqual([model.size, model.size]);
      expect(decoded.encoded()).toEqual(encoded);
      for (const [key, { etag }] of model) expect(decoded.look({ key, etag }, -5)).toBe('same');
    }),
    { numRuns: 2000 },
  );
});

test('other values are not taken for encoded versions', () => {
  for (const value of [
    null,
    [],
    'x',
    { x: '' },
    { 1: 'short' },
    { 1: 5 },
    { 1: '*'.repeat(20) },
    { 1.5: '' },
  ])
    expect(isEncodedVersions(value)).toBe(false);
  expect(isEncodedVersions({ 1: 'a'.repeat(40), [-3]: '' })).toBe(true);
});
