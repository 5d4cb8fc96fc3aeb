import { counting } from '../../../src/store/decorators/counting.js';
import { crashAt, type MortalStore } from '../../../src/store/decorators/faults.js';
import { Run, World } from '../harness.js';

const checkpoints = 200;
const merged = 20;
const sink = { roll: { size: '1MiB', checkpoints: merged, age: '1h', inactivity: '1h' } } as const;
const partitions = ['a', 'b'];
const line = (checkpoint: number): string => `checkpoint ${checkpoint}`;

/** One line in each partition for each checkpoint from where the last one was. Returns whether it got to the end. */
function proceed(world: World, run: Run): boolean {
  while (!run.dead && run.position < checkpoints * partitions.length) {
    const checkpoint = run.position / partitions.length;
    for (const p of partitions) run.line(p, line(checkpoint));
    run.barrier();
    world.clock.advance(1000);
  }
  if (!run.dead) run.end();
  for (let i = 0; i < 3; i++) run.settle();
  expect(run.error).toBeUndefined();
  return !run.dead;
}

/** The number of lines of each file. */
function sizes(world: World): number[] {
  return world.keys().map((key) => world.content(key).split('\n').length - 1);
}

const expected = Object.fromEntries(
  partitions.map((p) => [p, Array.from({ length: checkpoints }, (_, i) => `${line(i)}\n`).join('')]),
);

test('hundreds of checkpoints with a line each make few files, and few requests', () => {
  const world = new World();
  let counts!: ReturnType<typeof counting>;
  proceed(world, new Run(world, { sink, wrap: (store) => (counts = counting(store)).store }));
  expect(world.published()).toEqual(expected);
  const files = (partitions.length * checkpoints) / merged;
  expect(sizes(world)).toEqual(Array.from({ length: files }, () => merged));
  expect(counts.counts().requests).toEqual({ createUpload: files, uploadPart: files, completeUpload: files });
});

test('the files of other partitions have other ages', () => {
  const world = new World();
  const run = new Run(world, { sink: { roll: { checkpoints: 3 } } });
  const seen: string[][] = [];
  for (const p of ['a', 'b', 'a', 'a', 'b', 'b']) {
    run.line(p, 'x');
    run.barrier();
    seen.push(Object.entries(world.published()).map(([name, text]) => `${name}${text.length / 2}`));
  }
  expect(seen).toEqual([[], [], ['a2'], ['a2', 'b1'], ['a2', 'b1'], ['a3', 'b1']]);
});

test.each(['before', 'after'] as const)(
  'a process that dies %s any request: readers see whole files, and only the one that was open then is small',
  (when) => {
    let deaths = 0;
    for (let at = 1; ; at++) {
      const world = new World();
      let mortal: MortalStore | undefined;
      const wrap = (store: World['store']): World['store'] => (mortal = crashAt(store, at, when)).store;
      const isOver = proceed(world, new Run(world, { sink, wrap, dead: () => mortal?.dead === true }));
      if (!isOver) {
        deaths++;
        proceed(world, new Run(world, { sink }));
      }
      expect(world.published()).toEqual(expected);
      // In each partition: the file that the restart sealed, and the last one of all.
      expect(sizes(world).filter((lines) => lines < merged).length).toBeLessThanOrEqual(
        2 * partitions.length,
      );
      if (isOver) break;
    }
    expect(deaths).toBe(60);
  },
);

test.each([
  ['a server that cannot leave out parts', { completeSubset: false }, {}],
  ['a format whose files are valid only when finished', {}, { format: wholeFormat() }],
])('%s: every checkpoint, whatever is asked', (_, world, more) => {
  const small = new World(world);
  const run = new Run(small, { sink: { ...sink, ...more } });
  for (let i = 0; i < 3; i++) {
    run.line('a', 'x');
    run.barrier();
  }
  expect(small.keys()).toHaveLength(3);
});

function wholeFormat() {
  return {
    extension: '.txt',
    restore: 'whole' as const,
    open: (out: { write(chunk: string): void }) => ({
      held: 0,
      write: (record: { readonly text: string }) => {
        out.write(`${record.text}\n`);
      },
      finish: () => undefined,
    }),
  };
}
