/**
 * A worker without keys: as a thread or a child process, it gets its tokens from its parent. It lists the bucket,
 * writes what it found, and exits.
 *
 * Its one argument, or its `workerData`, says where. The line it prints, or posts, says how that went.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { lastValueFrom } from 'rxjs';
import { openStores, receivedTokens } from 'millrace/stores';
import { MillraceError } from 'millrace';

export interface Errand {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** What to write. */
  readonly key: string;
  /** Number of puts, one after another. */
  readonly times: number;
}

export interface Report {
  readonly written: number;
  /** Of the error that ended it. */
  readonly code?: string;
}

const { endpoint, region, bucket, key, times } = (
  isMainThread ? JSON.parse(process.argv[2] ?? '') : workerData
) as Errand;
const stores = openStores({ s3: { endpoint, region, credentials: receivedTokens() } });
const { store } = stores.open(`s3://${bucket}/`);
let written = 0;
let code: string | undefined;
try {
  for (; written < times; written++)
    await lastValueFrom(store.put(`${key}-${written}`, Buffer.from('by a worker')));
} catch (error) {
  code = error instanceof MillraceError ? error.code : String(error);
}
stores.close();
const report: Report = { written, ...(code === undefined ? {} : { code }) };
if (parentPort === null) process.send?.(report);
else parentPort.postMessage(report);
