import { bounded } from './transfer.js';

bounded('s3', [
  ['reading', 384],
  ['writing', 384],
  ['streaming', 384],
  ['up', 384],
  ['down', 384],
]);
