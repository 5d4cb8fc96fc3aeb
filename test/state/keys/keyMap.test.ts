import fc from 'fast-check';
import { Namespace, SpaceMap } from '../../../src/state/keys/keyMap.js';
import { storedKey, type Key, type StoredKey } from '../../../src/state/keys/keys.js';

const keys: readonly Key[] = ['a', 1, '1', ['a', 1], { a: 1 }];
const namespaces: readonly (Key | undefined)[] = [undefined, '', 'w', [1, 2], 1];

test('a map by key and namespace: values, size and iteration are those of a model', () => {
  const change = fc.record({
    key: fc.constantFrom(...keys),
    namespace: fc.constantFrom(...namespaces),
    value: fc.option(fc.nat(99), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const map = new SpaceMap<number>();
      const model = new Map<string, number>();
      const place = (key: Key, namespace: Key | undefined): [StoredKey, Namespace | undefined, string] => [
        storedKey(key),
        namespace === undefined ? undefined : Namespace.of(namespace),
        JSON.stringify([key, namespace]),
      ];
      for (const { key, namespace, value } of changes) {
        const [stored, space, id] = place(key, namespace);
        if (value === undefined) {
          map.delete(stored, space);
          model.delete(id);
        } else {
          map.set(stored, space, value);
          model.set(id, value);
        }
        expect(map.size).toBe(model.size);
      }
      expect([...map.values()].sort()).toEqual([...model.values()].sort());
      for (const key of keys)
        for (const namespace of namespaces) {
          const [stored, space, id] = place(key, namespace);
          expect(map.get(stored, space)).toBe(model.get(id));
        }
    }),
  );
});
