/**
 * `node --expose-gc build/bench/memory/run.js <reading|writing|copying|streaming|up|down> [--via store|s3] [--bytes N]`
 *
 * How much memory a job (`up`, `down`: a bulk copy) needs for an object of 2 GiB, beyond what the warmed-up process had: one line of JSON, sizes in
 * bytes. `--via s3` puts the store into another process, behind the gateway, so that the S3 adapter and the SDK count.
 */
import { parseArgs } from 'node:util';
import { Child } from '../harness/childProcess.js';
import { expectedDigest } from '../synthetic/digest.js';
import { expectedEtag } from '../synthetic/store.js';
import { bulkBudgets, type Bulk } from './bulk.js';
import { budgets, partDelay, sink, type Transfer } from './transfer.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { via: { type: 'string', default: 'store' }, bytes: { type: 'string', default: String(2 ** 31) } },
});
const transfer = (positionals[0] ?? 'reading') as Transfer | Bulk;
const size = Number(values.bytes);
const warm = 16 << 20;

const gateway =
  values.via === 's3'
    ? await Child.start(
        { module: new URL('../servers/gateway.js', import.meta.url).href, start: 'gateway' },
        { bucket: 'bench', sink, sizes: `${warm},${size}`, partDelay },
      )
    : undefined;
const job = await Child.start(
  {
    module: new URL(transfer in bulkBudgets ? './bulk.js' : './transfer.js', import.meta.url).href,
    start: transfer,
  },
  { size, warm, ...gateway?.info },
);
await job.round();
const { idleBytes, peakBytes, seconds, cpuSeconds, result } = await job.round();
await job.close();
await gateway?.close();

const expected =
  gateway !== undefined && transfer !== 'reading' && transfer !== 'down'
    ? `etag ${expectedEtag(size, 8 << 20)}`
    : expectedDigest(size);
console.log(
  JSON.stringify({
    transfer,
    via: values.via,
    bytes: result.amount,
    idle: idleBytes,
    peak: peakBytes,
    above: peakBytes - idleBytes,
    budget: { ...budgets, ...bulkBudgets }[transfer],
    exact: result.digest === expected,
    seconds,
    cpuSeconds,
  }),
);
process.exitCode = result.digest === expected ? 0 : 1;
