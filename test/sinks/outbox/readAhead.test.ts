import { Observable, Subject, throwError } from 'rxjs';
import { PublishFailed } from '../../../src/sinks/outbox/errors.js';
import { outboxSink } from '../../../src/sinks/outbox/outboxSink.js';
import type { Publish } from '../../../src/sinks/outbox/options.js';
import { ReadAhead } from '../../../src/sinks/outbox/readAhead.js';
import type { Serializer } from '../../../src/state/index.js';
import { Run, World, type Line } from '../harness.js';

/** What happens, in order: `decode a`, `publish ab`. */
let log: string[];
beforeEach(() => {
  log = [];
});

const textsOf = (lines: readonly Line[]): string => lines.map(({ text }) => text).join('');

/** Notes what it decodes of a durable checkpoint; `bad` cannot be decoded then. */
function noting(durable: () => boolean, bad?: string): Serializer<Line> {
  return {
    id: 'noting',
    version: 1,
    encode: ({ text }) => Buffer.from(text),
    decode: (bytes) => {
      const text = Buffer.from(bytes).toString();
      if (durable()) log.push(`decode ${text}`);
      if (durable() && text === bad) throw new TypeError('of the serializer');
      return { p: '', text };
    },
  };
}

/** A job has written these records in batches of two, and their checkpoint is durable. */
function published(
  texts: string,
  publish: Publish<Line>,
  bad?: string,
): { readonly run: Run; readonly world: World } {
  const world = new World();
  let durable = false;
  const run = new Run(world, {
    auto: false,
    operator: outboxSink<Line>('out', {
      publish: (lines, ...more) => {
        log.push(`publish ${textsOf(lines)}`);
        return publish(lines, ...more);
      },
      maxBatch: { records: 2 },
      retry: { initial: 100 },
      serializer: noting(() => durable, bad),
    }),
  });
  for (const text of texts) run.line('', text);
  run.barrier();
  durable = true;
  run.durable();
  return { run, world };
}

test('while the target has a batch, the next one is decoded, and no more', () => {
  const answers = new Subject<void>();
  published(
    'abcdef',
    () =>
      new Observable((out) =>
        answers.subscribe(() => {
          out.complete();
        }),
      ),
  );
  const first = ['decode a', 'decode b', 'publish ab', 'decode c', 'decode d'];
  expect(log).toEqual(first);
  answers.next();
  const second = [...first, 'publish cd', 'decode e', 'decode f'];
  expect(log).toEqual(second);
  answers.next();
  expect(log).toEqual([...second, 'publish ef']);
});

test('another try gets other records, and the next batch is not decoded again for it', () => {
  let tries = 0;
  const { world } = published('abcd', (lines) => {
    for (const line of lines as unknown as { text: string }[]) line.text = 'changed';
    return ++tries === 1 ? throwError(() => new PublishFailed('no connection')) : new Subject();
  });
  world.clock.advance(100);
  expect(log).toEqual([
    'decode a',
    'decode b',
    'publish ab',
    'decode a',
    'decode b',
    'publish ab',
    'decode c',
    'decode d',
  ]);
});

test('a batch that cannot be decoded ends the attempt at its turn, after the answer for the one before it', () => {
  const answers = new Subject<void>();
  const { run } = published('abcd', () => answers, 'c');
  expect(log.at(-1)).toBe('decode c');
  expect(run.error).toBeUndefined();
  answers.complete();
  expect(run.error).toMatchObject({ code: 'FormatChanged' });
  expect(log.filter((line) => line.startsWith('publish'))).toEqual(['publish ab']);
});

test('the next batch is prepared as the list that its turn gets; a failure to prepare it is met again then', () => {
  const prepared: (readonly string[])[] = [];
  const batches = ['a', 'b'].map((text) => ({ records: 1, bytes: Buffer.from(text) }));
  const reader = new ReadAhead(
    batches,
    ({ bytes }) => [bytes.toString()],
    (records) => {
      prepared.push(records);
      throw new Error('not now');
    },
  );
  reader.take(0);
  for (let call = 0; call < 3; call++) reader.ahead(1);
  expect(prepared).toEqual([['b']]);
  const records = reader.take(1);
  expect(records()).toBe(prepared[0]);
  expect(records()).not.toBe(prepared[0]);
  reader.ahead(2);
  expect(prepared).toHaveLength(1);
});
