import type { Bounds } from './model.js';

/** The variations of the model checker's tests. */
export const small: Bounds = {
  units: 2,
  barriers: [1, 1],
  doubts: 0,
  claims: 1,
  openFiles: false,
  amends: false,
  failures: false,
  acks: 'at once',
  ticks: 0,
  stops: false,
  sweeps: 'at the start',
  settings: {},
  rules: {},
};
