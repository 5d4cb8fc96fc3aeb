import { createJob, fileSink, files, keyed, ndjson, valueState } from '../../src/index.js';

/** What is wrong as a part of a key, of a message, or of UTF-8. */
const wrong = [
  '',
  '\ud800',
  'a\udc00b',
  '\0',
  '\u001b[31m',
  'line\nline',
  '\u009b',
  'x'.repeat(201),
  'ü'.repeat(101),
  7,
];
const refused = expect.objectContaining({ code: 'InvalidOption' }) as Error;

describe('an id that cannot be stored is refused where it is passed', () => {
  test.each(wrong)('%j', (value) => {
    const id = value as string;
    const job = createJob({ name: 'ids', checkpoints: { dir: 'memory://ids/checkpoints' } });
    expect(() => job.source(id, files('memory://ids/raw/*', { format: ndjson<{ n: number }>() }))).toThrow(
      refused,
    );
    expect(() => keyed(id, { key: () => 1, state: { n: valueState(0) }, onRecord: () => [] })).toThrow(
      refused,
    );
    expect(() => fileSink(id, 'memory://ids/out', { format: ndjson<{ n: number }>() })).toThrow(refused);
  });

  test.each(['..', 'a/b', '__proto__', 'constructor', 'x'.repeat(200), '日本', ' '])(
    '%j is accepted',
    (id) => {
      const job = createJob({ name: 'ids', checkpoints: { dir: 'memory://ids/checkpoints' } });
      expect(() =>
        job.source(id, files('memory://ids/raw/*', { format: ndjson<{ n: number }>() })),
      ).not.toThrow();
      expect(() => fileSink(id, 'memory://ids/out', { format: ndjson<{ n: number }>() })).not.toThrow();
    },
  );
});
