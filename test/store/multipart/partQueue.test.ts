import fc from 'fast-check';
import { PartQueue, type QueuedPart, type Upload } from '../../../src/store/multipart/partQueue.js';

interface Named extends Upload {
  readonly name: number;
}
interface Part extends QueuedPart<Named> {
  state: 'waiting' | 'sent' | 'done';
}

/** A queue whose requests are answered one by one, in any order. */
class Bench {
  readonly uploads: Named[];
  readonly parts: Part[] = [];
  readonly created: number[] = [];
  readonly sent: Part[] = [];
  readonly answers: (() => void)[] = [];
  readonly queue: PartQueue<Named, Part>;

  constructor(uploads: number, inFlight: number) {
    this.uploads = Array.from({ length: uploads }, (_, name) => ({ name, uploadId: undefined, parts: [] }));
    this.queue = new PartQueue<Named, Part>({
      inFlight,
      partSize: 100,
      create: ({ name }, created) => {
        this.created.push(name);
        this.answers.push(() => {
          created(`upload ${name}`);
        });
      },
      send: (part, uploadId, arrived) => {
        expect(uploadId).toBe(`upload ${part.upload.name}`);
        part.state = 'sent';
        this.sent.push(part);
        this.answers.push(() => {
          arrived({ etag: `${part.number}` });
        });
      },
    });
  }

  add(upload: number, size: number): void {
    const named = this.uploads[upload % this.uploads.length] as Named;
    const number = this.parts.filter((part) => part.upload === named).length + 1;
    const part: Part = {
      upload: named,
      number,
      size,
      held: size,
      state: 'waiting',
      done: () => (part.state = 'done'),
    };
    this.parts.push(part);
    this.queue.add(part);
  }

  answer(which: number): void {
    this.answers.splice(which % this.answers.length, 1)[0]?.();
  }
}

const additions = fc.array(
  fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 200 }), fc.array(fc.nat(), { maxLength: 3 })),
  {
    maxLength: 40,
  },
);

test('every part arrives once, in uploads that are created once, and no memory is held afterwards', () => {
  fc.assert(
    fc.property(additions, fc.integer({ min: 1, max: 5 }), (added, inFlight) => {
      const bench = new Bench(5, inFlight);
      for (const [upload, size, answers] of added) {
        bench.add(upload, size);
        const open = bench.parts.filter(({ state }) => state !== 'done');
        expect(bench.queue.size).toBe(open.length);
        expect(bench.queue.held).toBe(open.reduce((sum, part) => sum + part.size, 0));
        for (const each of answers) bench.answer(each);
      }
      while (bench.answers.length > 0) bench.answer(0);
      expect(bench.sent).toHaveLength(bench.parts.length);
      expect(bench.created).toEqual([...new Set(bench.created)]);
      expect([bench.queue.size, bench.queue.held]).toEqual([0, 0]);
      for (const upload of bench.uploads) {
        const mine = bench.parts.filter((part) => part.upload === upload);
        expect(upload.parts).toEqual(mine.map(({ number, size }) => ({ number, etag: `${number}`, size })));
        // Parts of one upload are sent in their order.
        const numbers = bench.sent.filter((part) => part.upload === upload).map(({ number }) => number);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
    }),
  );
});

test('as many parts are in flight as allowed, and small ones count as an eighth at least', () => {
  fc.assert(
    fc.property(additions, fc.integer({ min: 1, max: 5 }), (added, inFlight) => {
      const bench = new Bench(1, inFlight);
      const weight = ({ size }: Part): number => Math.max(1 / 8, Math.min(1, size / 100));
      const check = (): void => {
        const load = bench.parts
          .filter(({ state }) => state === 'sent')
          .reduce((sum, part) => sum + weight(part), 0);
        expect(load).toBeLessThanOrEqual(inFlight + 1e-9);
        const next = bench.parts.find(({ state }) => state === 'waiting');
        if (next !== undefined && bench.created.length === 1 && bench.uploads[0]?.uploadId !== undefined)
          expect(load + weight(next)).toBeGreaterThan(inFlight - 1e-9);
      };
      for (const [, size, answers] of added) {
        bench.add(0, size);
        check();
        for (const each of answers) {
          bench.answer(each);
          check();
        }
      }
    }),
  );
});

test('parts of an upload that is being created do not block others', () => {
  const bench = new Bench(2, 2);
  for (let i = 0; i < 5; i++) bench.add(0, 100);
  bench.add(1, 100);
  expect(bench.created).toEqual([0, 1]);
  bench.answer(1);
  expect(bench.sent.map(({ upload, number }) => [upload.name, number])).toEqual([[1, 1]]);
  bench.answer(0);
  // Those that waited aside come first.
  bench.add(1, 100);
  for (let i = 0; i < 7; i++) bench.answer(0);
  expect(bench.sent.map(({ upload, number }) => [upload.name, number]).slice(1)).toEqual([
    [0, 1],
    [0, 2],
    [0, 3],
    [0, 4],
    [0, 5],
    [1, 2],
  ]);
});

test('cleared parts are not sent', () => {
  const bench = new Bench(2, 1);
  for (let i = 0; i < 3; i++) bench.add(0, 100);
  bench.add(1, 100);
  bench.queue.clear();
  while (bench.answers.length > 0) bench.answer(0);
  expect(bench.sent.map(({ number }) => number)).toEqual([1]);
});

test('with nothing in flight a part starts although there is no room, whatever was in flight before', () => {
  let room = true;
  const answers: (() => void)[] = [];
  const upload: Named = { name: 0, uploadId: 'upload 0', parts: [] };
  const queue = new PartQueue<Named, Part>({
    inFlight: 4,
    partSize: 10,
    create: () => {
      throw new Error('it is created');
    },
    send: (_part, _uploadId, arrived) => {
      answers.push(() => {
        arrived({ etag: '' });
      });
    },
    mayStart: () => room,
  });
  const add = (size: number): void => {
    queue.add({ upload, number: 1, size, held: size, state: 'waiting', done: () => undefined });
  };
  // 0.3 + 0.6 + 0.7 - 0.3 - 0.6 - 0.7 is not zero.
  for (const size of [3, 6, 7]) add(size);
  for (const answer of answers.splice(0)) answer();
  room = false;
  add(10);
  expect(answers).toHaveLength(1);
});
