import { bounded } from './transfer.js';

// Streams, and files that are copied up: `transfer.store.long.test.ts`.

bounded('store', [
  ['reading', 384],
  ['writing', 384],
  ['copying', 384],
]);
