import { BatchWriter, batchesIn, recordsIn } from '#src/sinks/outbox/batches.js';
import { journaledCodec } from '#src/sinks/outbox/journaled.js';
import { decodeCommittable, encodeCommittable } from '#src/sinks/twoPhase/committables.js';
import { BufferPool } from '#src/store/multipart/index.js';
import { mutated, mutatedJson } from '../mutate.js';
import { target } from '../target.js';

const writer = new BatchWriter({ records: 3, bytes: 100 }, new BufferPool(1000), () => 1000);
for (let i = 0; i < 10; i++) writer.add(Buffer.from(`record ${i}`));
let journal = Buffer.alloc(0);
writer.take((bytes) => (journal = Buffer.from(bytes)));

const committable = encodeCommittable(journaledCodec, {
  uid: 'uid-1',
  checkpoint: 3,
  sequence: 2,
  batches: 4,
  records: 10,
  content: {
    ranges: [{ journal: 'data/0000000001/out-x.journal', offset: 0, length: 10, sha256: 'x' }],
    inline: journal,
  },
  serializer: { id: 'msgpackr', version: 1 },
  done: 1,
  poison: { code: 'PoisonBatch', message: 'A row is poison.' },
});

export const outboxTargets = [
  target({
    name: 'committable of an outbox',
    errors: ['InvalidCommittable'],
    draw: (random) => mutatedJson(random, { ...committable, uid: 'uid-1' }),
    run: (stored) => decodeCommittable(journaledCodec, stored as never),
  }),
  target({
    name: 'journal of an outbox',
    errors: ['CorruptJournal'],
    draw: (random) => mutated(random, journal),
    run: (bytes: Buffer) =>
      batchesIn(bytes, 'uid-1').map((batch) => recordsIn(batch, (each) => each.toString(), 'uid-1')),
  }),
];
