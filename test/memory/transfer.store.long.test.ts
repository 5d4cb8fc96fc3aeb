import { bounded } from './transfer.js';

// Of 2 GiB even a small share that is kept would show.
bounded('store', [
  ['copying', 2048],
  ['streaming', 2048],
  ['up', 2048],
]);
