import { deflateRawSync } from 'node:zlib';
import { avro } from '#src/formats/avro/index.js';
import { between } from '../../simulation/random.js';
import { decodeAll } from '../decodeAll.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const schema = {
  type: 'record',
  name: 'R',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'tags', type: { type: 'array', items: ['null', 'string'] } },
    { name: 'map', type: { type: 'map', values: 'double' } },
    { name: 'next', type: ['null', 'R'] },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
  ],
};

const leaf = { id: 1, tags: [null, 'a'], map: { k: 0.5 }, next: null, price: 1.25, at: new Date(0) };

/** Without its random marker, so that a seed gives the same bytes. */
function containerOf(codec: 'null' | 'deflate' | 'snappy'): Buffer {
  const chunks: Buffer[] = [];
  const encoder = avro({ avroSchema: schema, codec }).open({
    write: (chunk) => chunks.push(Buffer.from(chunk)),
  });
  for (let block = 0; block < 3; block++) {
    encoder.write({ ...leaf, id: 2n ** 60n, next: leaf });
    encoder.write(leaf);
    encoder.persist?.(false);
  }
  const content = Buffer.concat(chunks);
  const sync = content.subarray(-16).toString('latin1');
  return Buffer.from(content.toString('latin1').replaceAll(sync, '-the sync marker'), 'latin1');
}

const containers = [containerOf('null'), containerOf('deflate'), containerOf('snappy')];
const states = [{ codec: 'null', sync: 'A'.repeat(22), schema: deflateRawSync('"int"').toString('base64') }];

export const avroTargets = [
  target({
    name: 'avro',
    errors: ['Integrity', 'UnknownCodec', 'IncompatibleSchema'],
    draw: (random) => ({
      content: mutated(random, containers[between(random, 0, containers.length - 1)] ?? Buffer.alloc(0)),
      evolved: between(random, 0, 1) === 0,
    }),
    run: ({ content, evolved }: { content: Buffer; evolved: boolean }) => {
      decodeAll(avro({ maxBlock: '1MiB', ...(evolved && { avroSchema: schema }) }), content);
    },
  }),
  target({
    name: 'avro state',
    errors: [],
    draw: (random) => mutated(random, Buffer.from(JSON.stringify(states[0]))),
    run: (input: Buffer) => {
      let state: unknown;
      try {
        state = JSON.parse(input.toString());
      } catch {
        return;
      }
      avro().isState?.(state);
    },
  }),
];
