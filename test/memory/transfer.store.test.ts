import { bounded } from './transfer.js';

bounded('store', [
  ['reading', 384],
  ['writing', 384],
  ['copying', 384],
  ['streaming', 384],
  ['up', 384],
]);
