import { target } from '../target.js';

/** Decoders with the faults that fuzzing finds: they show that it does. */
export const brokenTargets = [
  target({
    name: 'untyped',
    errors: ['Corrupt'],
    draw: (random) => random(),
    run: () => {
      throw new TypeError('x is undefined');
    },
  }),
  target({
    name: 'hanging',
    errors: [],
    draw: () => 0,
    run: () => {
      for (;;);
    },
  }),
  target({
    name: 'waiting',
    errors: [],
    draw: () => 0,
    run: () => new Promise(() => undefined),
  }),
  target({
    name: 'greedy',
    errors: [],
    draw: () => [] as unknown[],
    run: (kept: unknown[]) => {
      for (;;) kept.push(new Array<number>(1_000_000).fill(0));
    },
  }),
];
