/** Exports of state: an entry, a list of entries, and the summary. */
import { crc32 } from 'node:zlib';
import { storedKey } from '#src/state/keys/keys.js';
import { decodeList, ListBuilder } from '#src/state/layout/entryList.js';
import { decodeEntry, encodeEntry } from '#src/state/layout/entryObject.js';
import { decodeSummary, encodeSummary } from '#src/state/layout/summary.js';
import { between, pick } from '../../simulation/random.js';
import { mutated, mutatedJson } from '../mutate.js';
import { target } from '../target.js';

const summary = {
  job: 'visits',
  checkpoint: 7,
  at: 1_700_000_000_000,
  extension: '.state',
  operators: [
    {
      operator: 'per-user',
      folder: 'per-user/',
      maxParallelism: 128,
      states: [
        {
          id: 'n',
          name: 'count',
          schema: { kind: 'value', serializer: { id: 'msgpackr', version: 1 }, type: 'number' },
        },
      ],
      entries: 2,
      bytes: 150,
      lists: 1,
    },
  ],
  others: { raw: { kind: 'source' as const, snapshot: { next: 3 }, ended: true } },
  keyGroups: { first: 0, last: 63 },
  finished: false,
};

/** An entry, changed either before its checksum, which is right then, or after. */
function entry(random: () => number): Buffer {
  const bytes = encodeEntry(
    {
      state: 'byDay',
      schema: { kind: 'map', serializer: { id: 'msgpackr', version: 1 } },
      key: storedKey(pick(random, ['user-1', 17, null, { a: [1, true] }])),
      namespace: Buffer.from(pick(random, ['', 'window'])),
      cells: Array.from({ length: between(random, 0, 9) }, (_, n) => ({
        subKey: Buffer.of(n),
        content: pick(random, [n, 'text', { tags: ['a', 'b'], at: new Date(0) }, [undefined, 2n ** 80n]]),
      })),
    },
    random() < 0.5,
  );
  if (random() < 0.2) return mutated(random, bytes);
  const head = bytes.subarray(0, 9);
  const changed = Buffer.concat([head, mutated(random, bytes.subarray(9, -4)), Buffer.alloc(4)]);
  changed.writeUInt32LE(crc32(changed.subarray(0, -4)), changed.length - 4);
  return changed;
}

export const exportTargets = [
  target({
    name: 'entry of an export',
    errors: ['EntryCorrupt'],
    draw: entry,
    run: (bytes: Buffer) => {
      const { state, schema, namespace, cells } = decodeEntry('entry', bytes);
      if (typeof state !== 'string' || !Number.isSafeInteger(schema.serializer.version))
        throw new TypeError();
      for (const each of [namespace, ...cells.map(({ subKey }) => subKey)])
        if (!(each instanceof Uint8Array)) throw new TypeError();
    },
  }),
  target({
    name: 'list of an export',
    errors: ['EntryCorrupt'],
    draw: (random) => {
      const list = new ListBuilder();
      for (let n = between(random, 0, 20); n > 0; n--)
        list.add({
          name: `count/${between(random, 0, 127)}/dXNlci${n}=.state`,
          bytes: between(random, 0, 1e9),
        });
      return mutated(random, list.take());
    },
    run: (bytes: Buffer) => {
      for (const { name, bytes: size } of decodeList('list', bytes))
        // Names lead nowhere else.
        if (/^\/|(^|\/)\.{1,2}(\/|$)/.test(name) || !Number.isSafeInteger(size)) throw new TypeError(name);
    },
  }),
  target({
    name: 'summary of an export',
    errors: ['EntryCorrupt'],
    draw: (random) =>
      random() < 0.3 ? mutated(random, encodeSummary(summary)) : encodeSummary(mutatedJson(random, summary)),
    run: (bytes: Buffer) => {
      const { operators, others } = decodeSummary('summary', bytes);
      for (const { folder, maxParallelism, states } of operators) {
        if (!/^([\w=-]+\/)?$/.test(folder) || !(maxParallelism > 0)) throw new TypeError(folder);
        for (const { id, name } of states)
          if (typeof id + typeof name !== 'stringstring') throw new TypeError(id);
      }
      if (Object.values(others).some(({ snapshot }) => snapshot === undefined)) throw new TypeError();
    },
  }),
];
